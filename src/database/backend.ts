// What kind of database a URL leads to, and single connections to it.

import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { loginOf } from "./login.ts";
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
  for (const url of urlsOf(urlList)) {
    try {
      const connection = await createConnection({ ...loginOf(url), connectTimeout: SETUP_TIMEOUT_MS });
      connection.on("error", () => {});
      return connection;
    } catch (error) {
      failure = error;
    }
  }
  throw explained(failure);
}

/** The same in words that say what to do, where it is about TLS. */
function explained(error: unknown): unknown {
  const { code, errno, message } = error as { code?: string; errno?: number; message: string };
  // MySQL's ER_SECURE_TRANSPORT_REQUIRED; vtgate has no number of its own for it.
  if (errno === 3159 || message.includes("does not allow insecure connections")) {
    return new Error("the database takes no connections in plain text; set ssl-mode=REQUIRED in DATABASE_URL");
  }
  return code?.startsWith("HANDSHAKE_") ? new Error(`there is no TLS to the database: ${message}`) : error;
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

/** Finds out what answers at the URL. */
export async function inspectBackend(url: string): Promise<Backend> {
  const connection = await connectOnce(url);
  try {
    await rowsOf(connection, SHOW_SHARDS);
    return "vitess";
  } catch (error) {
    // A syntax error to a MySQL server.
    if ((error as { errno?: number }).errno === 1064) return "mysql";
    throw error;
  } finally {
    connection.destroy();
  }
}
