// How statements reach the database: a bounded pool of mysql2 connections and a deadline on every call.

import { setTimeout as sleep } from "node:timers/promises";
import { createPool, type Pool, type PoolConnection, type ResultSetHeader, type RowDataPacket } from "mysql2";
import { StoreError } from "../store/error.ts";
import { Addresses } from "./addresses.ts";
import type { Backend } from "./backend.ts";
import { keepsSession, storeError } from "./errors.ts";
import type { Statement } from "./statements.ts";
import { urlsOf } from "./url.ts";

export type Rows = RowDataPacket[];
export type Written = ResultSetHeader;

export interface Database {
  /**
   * Runs one statement in a transaction of its own, or a packet of several, whose answers are then an array. Throws
   * `StoreError`, at the latest when `timeoutMs` have passed.
   */
  execute<T>(statement: Statement, timeoutMs: number): Promise<T>;
  /** Closes idle connections at once and others when their statement ends. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `mysql://user:password@host:port/database`, or several of one database, see `url.ts`. */
  url: string;
  /** What sessions are told depends on it; without one they are told nothing. */
  backend?: Backend;
  connections: number;
  /** Calls that may wait for a connection; one more fails with `overloaded`. */
  queueLimit: number;
  /** Whether packets of several statements are sent. */
  packets?: boolean;
  /** For runtimes in which no code may be made from text, as mysql2 does to read rows faster. */
  disableEval?: boolean;
}

/** What each new connection is told before its first statement. */
const SESSION_SETTINGS: Record<Backend, string> = {
  // No gap locks, hence no deadlocks between writers of different keys; and exact conversion to epoch time.
  mysql: "SET SESSION transaction_isolation = 'READ-COMMITTED', time_zone = '+00:00'",
  // A write to several shards fails as a whole instead of committing one by one. Then an error is about every row of a
  // statement alike. vtgate keeps this to itself; other settings it would first ask a tablet about.
  vitess: "SET transaction_mode = 'single'",
};

const CLOSE_TIMEOUT_MS = 2_000;
/** Within a call's deadline there shall be time for another address, if this one is silent. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Connections are opened when first needed; nothing is contacted yet. */
export function connect({ url, backend, connections, queueLimit, disableEval, packets }: ConnectOptions): Database {
  const addresses = new Addresses(url);
  const pool = createPool({
    // What the URLs have in common.
    uri: urlsOf(url)[0],
    stream: () => addresses.open(),
    connectTimeout: CONNECT_TIMEOUT_MS,
    connectionLimit: connections,
    queueLimit,
    disableEval,
    multipleStatements: packets,
    supportBigNumbers: true,
  });
  const told = new WeakSet<PoolConnection>();
  const prepare = backend && { name: "session", sql: SESSION_SETTINGS[backend], params: [], writes: false };

  /** A connection that can take a statement. Each address has its chance. */
  async function ready(deadline: number, attempts = addresses.count): Promise<PoolConnection> {
    try {
      const connection = await acquire(pool, deadline - performance.now());
      await tell(connection, deadline);
      return connection;
    } catch (error) {
      if (attempts <= 1 || error instanceof StoreError) throw error;
      return ready(deadline, attempts - 1);
    }
  }

  async function tell(connection: PoolConnection, deadline: number) {
    if (!prepare || told.has(connection)) return;
    try {
      await query(connection, prepare, deadline - performance.now());
      told.add(connection);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  return {
    async execute<T>(statement: Statement, timeoutMs: number) {
      const deadline = performance.now() + timeoutMs;
      const connection = await ready(deadline).catch((error) => {
        throw storeError(error, "connecting", statement.writes);
      });
      if (performance.now() >= deadline) {
        connection.release();
        throw new StoreError("unavailable", "no time left within the deadline");
      }
      try {
        const result = await query(connection, statement, deadline - performance.now());
        connection.release();
        return result as T;
      } catch (error) {
        // What a packet has begun is undone with its session.
        if (statement.commitAt === undefined && keepsSession(error)) connection.release();
        else connection.destroy();
        throw storeError(error, isUncommitted(error, statement) ? "uncommitted" : "sent", statement.writes);
      }
    },
    close: () => {
      addresses.close();
      // The pool never reports its end when a connection is destroyed on the way.
      return Promise.race([new Promise<void>((resolve) => pool.end(() => resolve())), sleep(CLOSE_TIMEOUT_MS)]);
    },
  };
}

function acquire(pool: Pool, timeoutMs: number): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new StoreError("unavailable", "no connection within the deadline"));
    }, timeoutMs);
    pool.getConnection((error, connection) => {
      clearTimeout(timer);
      if (late) connection?.release();
      else if (error) reject(error);
      else resolve(connection);
    });
  });
}

/** Fails with mysql2's error, to which the number of statements is added that were answered before. */
function query(connection: PoolConnection, { sql, params, commitAt }: Statement, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answered = 0;
    const command = connection.query({ sql, values: params, timeout: Math.max(1, timeoutMs) }, (error, result) => {
      if (error) reject(Object.assign(error, { answered }));
      else resolve(result);
    });
    if (commitAt !== undefined) command.on("fields", () => (answered += 1));
  });
}

/** Whether the server, which stops at a packet's first error, has refused a statement before the one that commits. */
function isUncommitted(error: unknown, { commitAt = 0 }: Statement): boolean {
  const { sqlState, answered = commitAt } = error as { sqlState?: string; answered?: number };
  return sqlState !== undefined && answered < commitAt;
}
