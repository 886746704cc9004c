// How statements reach the database: a bounded pool of mysql2 connections and a deadline on every call.

import { setTimeout as sleep } from "node:timers/promises";
import { createPool, type Pool, type PoolConnection, type ResultSetHeader, type RowDataPacket } from "mysql2";
import { StoreError } from "../store/error.ts";
import { Addresses, type Connecting } from "./addresses.ts";
import type { Backend } from "./backend.ts";
import { isReadOnly, keepsSession, storeError } from "./errors.ts";
import { loginOf } from "./login.ts";
import type { DatabaseObserver } from "./observer.ts";
import { SESSION } from "./session.ts";
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
  /** Told of connections; of statements by `observed`. */
  observer?: DatabaseObserver;
}

const CLOSE_TIMEOUT_MS = 2_000;
/**
 * A connection that was idle for longer is asked for a sign of life first: a NAT or a firewall may have forgotten it, or
 * a vtgate is about to end, which refuses that for longer than this (`--lameduck-period`).
 */
const TRUSTED_MS = 1_000;
/** A server on the other side of the world answers in a third of it. */
const PING_TIMEOUT_MS = 1_000;
/** For so long a server that takes no writes is not expected to take the next. */
const READ_ONLY_MS = 1_000;
/** Within a call's deadline there shall be time for another address, if this one is silent. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Connections are opened when first needed; nothing is contacted yet. */
export function connect(options: ConnectOptions): Database {
  const { url, backend, connections, queueLimit, disableEval, packets, observer } = options;
  const addresses = new Addresses(url, (change) => observer?.connections(change));
  const pool = createPool({
    // What the URLs have in common.
    ...loginOf(urlsOf(url)[0]),
    stream: (connecting: Connecting) => addresses.open(connecting),
    connectTimeout: CONNECT_TIMEOUT_MS,
    connectionLimit: connections,
    queueLimit,
    disableEval,
    multipleStatements: packets,
    supportBigNumbers: true,
    // None is prepared, and mysql2 sets aside 400 kB a connection for as many as there may be.
    maxPreparedStatements: 1,
  });
  /** When each was told how to be, and when it last answered. */
  const toldAt = new WeakMap<PoolConnection, number>();
  const answeredAt = new WeakMap<PoolConnection, number>();
  /** What has not answered since then was lost together with one that does not answer any more. */
  let silentSince = Number.NEGATIVE_INFINITY;
  let readOnlyAt = Number.NEGATIVE_INFINITY;
  const prepare = backend && { name: "session", sql: SESSION[backend], params: [], writes: false };

  /** A connection that can take a statement. Each address has its chance. */
  async function ready(deadline: number, attempts = addresses.count): Promise<PoolConnection> {
    try {
      const connection = await acquire(pool, deadline - performance.now());
      if (!(await isAlive(connection, deadline))) {
        connection.destroy();
        // As many times as there are connections at most.
        return ready(deadline, attempts);
      }
      await tell(connection, deadline);
      return connection;
    } catch (error) {
      if (attempts <= 1 || error instanceof StoreError) throw error;
      return ready(deadline, attempts - 1);
    }
  }

  async function isAlive(connection: PoolConnection, deadline: number): Promise<boolean> {
    const since = answeredAt.get(connection);
    const now = performance.now();
    if (since === undefined || now - since < TRUSTED_MS) return true;
    if (since < silentSince) return false;
    const isAnswered = await ping(connection, Math.min(PING_TIMEOUT_MS, (deadline - now) / 4));
    if (!isAnswered) silentSince = now;
    return isAnswered;
  }

  async function tell(connection: PoolConnection, deadline: number) {
    if (toldAt.has(connection)) return;
    try {
      if (prepare) await query(connection, prepare, deadline - performance.now());
      toldAt.set(connection, performance.now());
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /**
   * The second time in a row, over a connection that was opened after the first, it is not the primary that has moved:
   * another attempt would fare no better.
   */
  function isFinal(connection: PoolConnection): boolean {
    const isSecond = (toldAt.get(connection) ?? 0) > readOnlyAt && performance.now() - readOnlyAt < READ_ONLY_MS;
    readOnlyAt = performance.now();
    return backend === "mysql" && addresses.count === 1 && isSecond;
  }

  return {
    async execute<T>(statement: Statement, timeoutMs: number) {
      const deadline = performance.now() + timeoutMs;
      const connection = await ready(deadline).catch((error) => {
        throw storeError(error, { phase: "connecting", writes: statement.writes, backend });
      });
      if (performance.now() >= deadline) {
        connection.release();
        throw new StoreError("unavailable", "no time left within the deadline");
      }
      try {
        const result = await query(connection, statement, deadline - performance.now());
        answeredAt.set(connection, performance.now());
        connection.release();
        return result as T;
      } catch (error) {
        // What a packet has begun is undone with its session.
        if (statement.commitAt === undefined && keepsSession(error)) connection.release();
        else connection.destroy();
        const phase = isUncommitted(error, statement) ? "uncommitted" : "sent";
        const failure = storeError(error, { phase, writes: statement.writes, backend });
        if (isReadOnly(error) && isFinal(connection)) throw new StoreError(failure.code, failure.reason, true);
        throw failure;
      }
    },
    close: () => {
      const closed = addresses.close();
      pool.end(() => {});
      // Of a socket that was not seen to close before its request is over, workerd never lets go.
      return Promise.race([closed, sleep(CLOSE_TIMEOUT_MS)]);
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

/** Whether an answer comes in time. vtgate says that it is about to stop, which is none. */
function ping(connection: PoolConnection, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    connection.ping((error) => {
      clearTimeout(timer);
      resolve(!error);
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
