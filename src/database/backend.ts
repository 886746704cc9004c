// What kind of database a URL leads to, and whether its clock can be relied on.

import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { urlsOf } from "./url.ts";

export type Backend = "vitess" | "mysql";

/** Bounds each statement here. */
const SETUP_TIMEOUT_MS = 10_000;

/**
 * A connection of its own, to the first of the URLs that answers. It fails in its statements only: losing it is never an
 * uncaught error.
 */
export async function connectOnce(urlList: string): Promise<Connection> {
  let failure: unknown;
  for (const uri of urlsOf(urlList)) {
    try {
      const connection = await createConnection({ uri, connectTimeout: SETUP_TIMEOUT_MS });
      connection.on("error", () => {});
      return connection;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

export async function rowsOf(connection: Connection, sql: string, values?: unknown[]): Promise<RowDataPacket[]> {
  const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: SETUP_TIMEOUT_MS }, values);
  return rows;
}

/** vtgate's list of the shards of all keyspaces to which it leads writes. */
export const SHOW_SHARDS = "SHOW VITESS_SHARDS";

/** The names of the keyspace's shards; each is listed with its keyspace, as in `kv/-80`. */
export function servingShards(shards: RowDataPacket[], keyspace: string): string[] {
  return shards
    .map((row) => String(row.Shards))
    .filter((name) => name.startsWith(`${keyspace}/`))
    .map((name) => name.slice(keyspace.length + 1));
}

/**
 * Finds out what answers at the URL. Fails unless the clock of every shard shows UTC, in which alone its conversion
 * to epoch time is exact all year round; a plain MySQL is told so by each connection instead.
 */
export async function inspectBackend(url: string): Promise<Backend> {
  const connection = await connectOnce(url);
  try {
    const shards = await rowsOf(connection, SHOW_SHARDS).catch((error) => {
      // A syntax error to a MySQL server.
      if (error.errno === 1064) return undefined;
      throw error;
    });
    if (!shards) return "mysql";
    const keyspace = String(connection.config.database);
    for (const shard of servingShards(shards, keyspace)) {
      await rowsOf(connection, `USE \`${keyspace}:${shard}@primary\``);
      await requireUtc(connection, `shard ${shard}`);
    }
    return "vitess";
  } finally {
    connection.destroy();
  }
}

/** Fails unless a plain MySQL's sessions begin with what `connect` tells them, for one that tells them nothing. */
export async function requireSessionDefaults(url: string) {
  const connection = await connectOnce(url);
  try {
    await requireUtc(connection, "the server");
    const [row] = await rowsOf(connection, "SELECT @@global.transaction_isolation AS isolation");
    if (row?.isolation !== "READ-COMMITTED") {
      throw new Error(`the isolation of the server is ${row?.isolation}; set transaction-isolation=READ-COMMITTED`);
    }
  } finally {
    connection.destroy();
  }
}

async function requireUtc(connection: Connection, where: string) {
  const [row] = await rowsOf(connection, "SELECT @@global.time_zone AS zone, @@system_time_zone AS system_zone");
  const zone = row?.zone === "SYSTEM" ? row.system_zone : row?.zone;
  if (!["+00:00", "UTC", "Etc/UTC"].includes(zone)) {
    throw new Error(`the time zone of ${where} is ${zone}; set default-time-zone=+00:00 there`);
  }
}
