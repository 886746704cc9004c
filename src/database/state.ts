// What an operator wants to know of a shard and vtgate does not tell of by itself: how large it is, and what changes its
// schema.

import type { RowDataPacket } from "mysql2/promise";
import { type Backend, connectOnce, rowsOf } from "./backend.ts";
import { keyspaceOf, urlOfShard } from "./url.ts";

/** InnoDB counts rows as they are written, and is right to some per cent. */
export interface ShardSize {
  rows: number;
  /** Of the table's file. */
  bytes: number;
}

/** A change of the schema that is not over. */
export interface Migration {
  shard: string;
  status: string;
  /** In per cent. */
  progress: number;
}

const SIZE =
  "SELECT s.num_rows AS rows_counted, t.file_size AS bytes FROM information_schema.innodb_tablestats s JOIN information_schema.innodb_tablespaces t ON t.name = s.name WHERE s.name LIKE ?";
const OVER = ["complete", "failed", "cancelled"];

/** Of the shard's primary, whether or not the shard serves; undefined where that does not answer, or may not tell. */
export async function readSize(url: string, backend: Backend, shard: string): Promise<ShardSize | undefined> {
  // A tablet's mysqld has no other table of this name.
  const table = backend === "vitess" ? "%/entries" : `${keyspaceOf(url)}/entries`;
  const [row] = (await asked(urlOfShard(url, shard), SIZE, [table])) ?? [];
  return row && { rows: Number(row.rows_counted), bytes: Number(row.bytes) };
}

/** None where the database does not answer. */
export async function readMigrations(url: string): Promise<Migration[]> {
  const rows = (await asked(url, "SHOW VITESS_MIGRATIONS")) ?? [];
  return rows
    .filter(({ migration_status }) => !OVER.includes(migration_status))
    .map(({ shard, migration_status, progress }) => ({
      ...{ shard, status: String(migration_status), progress: Number(progress) || 0 },
    }));
}

async function asked(url: string, sql: string, values?: unknown[]): Promise<RowDataPacket[] | undefined> {
  try {
    const connection = await connectOnce(url);
    return await rowsOf(connection, sql, values).finally(() => connection.destroy());
  } catch {
    return undefined;
  }
}
