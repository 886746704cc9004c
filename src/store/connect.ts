// How statements reach the database on Bun: a bounded pool of mysql2 connections and a deadline on every call.

import {
  createPool,
  type Pool,
  type PoolConnection,
  type QueryError,
  type ResultSetHeader,
  type RowDataPacket,
} from "mysql2";
import { StoreError, storeError } from "./errors.ts";

export interface Statement {
  /** Named so in logs. */
  name: string;
  sql: string;
  params: unknown[];
  /** Whether it can change anything: then a lost answer leaves its outcome unknown. */
  writes: boolean;
}

export type Rows = RowDataPacket[];
export type Written = ResultSetHeader;

export interface Database {
  /** Runs one statement in a transaction of its own. Throws `StoreError`, at the latest when `timeoutMs` have passed. */
  execute<T extends Rows | Written>(statement: Statement, timeoutMs: number): Promise<T>;
  /** Closes idle connections at once and others when their statement ends. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `mysql://user:password@host:port/database`. */
  url: string;
  connections: number;
  /** Calls that may wait for a connection; one more fails with `overloaded`. */
  queueLimit: number;
}

const UNKNOWN_SYSTEM_VARIABLE = 1193;

const SESSION_SETTINGS = [
  // For a plain MySQL: no gap locks, hence no deadlocks between writers of different keys, and exact conversion to
  // epoch time. vtgate ignores both, so for Vitess the time zone is checked once (`requireUtc`).
  { sql: "SET SESSION transaction_isolation = 'READ-COMMITTED', time_zone = '+00:00'" },
  // For vtgate: a write to several shards fails as a whole instead of committing one by one. Then an error is about
  // every row of a statement alike.
  { sql: "SET transaction_mode = 'single'", foreignTo: UNKNOWN_SYSTEM_VARIABLE },
];

/** Connections are opened when first needed; nothing is contacted yet. */
export function connect({ url, connections, queueLimit }: ConnectOptions): Database {
  const pool = createPool({
    uri: url,
    connectionLimit: connections,
    queueLimit,
    enableKeepAlive: true,
    supportBigNumbers: true,
    // affectedRows then counts changed rows, which tells whether a condition held.
    flags: ["-FOUND_ROWS"],
  });
  pool.on("connection", (connection) => {
    for (const { sql, foreignTo } of SESSION_SETTINGS) {
      connection.query(sql, (error) => {
        if (error && error.errno !== foreignTo) connection.destroy();
      });
    }
  });
  return {
    async execute<T extends Rows | Written>(statement: Statement, timeoutMs: number) {
      const deadline = performance.now() + timeoutMs;
      const connection = await acquire(pool, timeoutMs).catch((error) => {
        throw storeError(error, "connecting", statement.writes);
      });
      try {
        const result = await query(connection, statement, Math.max(1, deadline - performance.now()));
        connection.release();
        return result as T;
      } catch (error) {
        // After an answer from the server the connection is in order; after anything else its state is unknown.
        if ((error as QueryError).sqlState) connection.release();
        else connection.destroy();
        throw storeError(error, "sent", statement.writes);
      }
    },
    close: () => new Promise((resolve) => pool.end(() => resolve())),
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

function query(connection: PoolConnection, { sql, params }: Statement, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query({ sql, values: params, timeout: timeoutMs }, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}

/** Fails unless the database's clock shows UTC, in which alone its conversion to epoch time is exact all year round. */
export async function requireUtc(database: Database, timeoutMs: number) {
  const [row] = await database.execute<Rows>(
    {
      name: "time_zone",
      sql: "SELECT @@time_zone AS zone, @@system_time_zone AS system_zone",
      params: [],
      writes: false,
    },
    timeoutMs,
  );
  const zone = row?.zone === "SYSTEM" ? row.system_zone : row?.zone;
  if (!["+00:00", "UTC", "Etc/UTC", "GMT"].includes(zone)) {
    throw new StoreError("internal", `the database's time zone is ${zone}; set default-time-zone=+00:00`);
  }
}
