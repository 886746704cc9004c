// What an operator wants to know of a shard and vtgate does not tell of by itself: how large it is, and what changes its
// schema.

import type { RowDataPacket } from "mysql2/promise";
import { type Backend, connectOnce, rowsOf } from "./backend.ts";
import { urlOfShard } from "./url.ts";

/** InnoDB counts rows as they are written, and is right to some per cent. */
export interface ShardSize {
  rows: number;
  /** Of the table's file on Vitess; of its pages elsewhere. */
  bytes: number;
}

/** A change of the schema that is not over. */
export interface Migration {
  shard: string;
  status: string;
  /** In per cent. */
  progress: number;
}

/** A tablet's mysqld has no other table of this name, and lets its vttablet see this. */
const SIZE_ON_VITESS =
  "SELECT s.num_rows AS rows_counted, t.file_size AS bytes FROM information_schema.innodb_tablestats s JOIN information_schema.innodb_tablespaces t ON t.name = s.name WHERE s.name LIKE '%/entries'";
/** What any user of a plain MySQL may see; it would be a day old at most without the first. */
const FRESH = "SET SESSION information_schema_stats_expiry = 0";
const SIZE_ON_MYSQL =
  "SELECT table_rows AS rows_counted, data_length + index_length AS bytes FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'entries'";
const OVER = ["complete", "failed", "cancelled"];

/** Of the shard's primary, whether or not the shard serves; undefined where that does not answer, or may not tell. */
export async function readSize(url: string, backend: Backend, shard: string): Promise<ShardSize | undefined> {
  const statements = backend === "vitess" ? [SIZE_ON_VITESS] : [FRESH, SIZE_ON_MYSQL];
  const [row] = (await asked(urlOfShard(url, shard), statements)) ?? [];
  return row && { rows: Number(row.rows_counted), bytes: Number(row.bytes) };
}

/** None where the database does not answer. */
export async function readMigrations(url: string): Promise<Migration[]> {
  const rows = (await asked(url, ["SHOW VITESS_MIGRATIONS"])) ?? [];
  return rows
    .filter(({ migration_status }) => !OVER.includes(migration_status))
    .map(({ shard, migration_status, progress }) => ({
      ...{ shard, status: String(migration_status), progress: Number(progress) || 0 },
    }));
}

/** What the last of the statements gives. */
async function asked(url: string, statements: string[]): Promise<RowDataPacket[] | undefined> {
  try {
    const connection = await connectOnce(url);
    try {
      let rows: RowDataPacket[] | undefined;
      for (const sql of statements) rows = await rowsOf(connection, sql);
      return rows;
    } finally {
      connection.destroy();
    }
  } catch {
    return undefined;
  }
}
