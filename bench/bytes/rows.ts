// A table like the store's, straight at a mysqld, in a database of its own.

import { type Connection, createConnection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { scattered } from "../random.ts";

export const DATABASE = "bench_bytes";

export interface Row {
  key: string;
  value: Buffer;
}

/** At the primary of the first shard, for as long as the work takes. */
export async function withDatabase<T>({ tablets }: ClusterStatus, work: (connection: Connection) => Promise<T>) {
  const primary = tablets.find(({ role }) => role === "primary");
  const connection = await createConnection({
    ...{ socketPath: primary?.mysqlSocket, user: "vt_dba", multipleStatements: true },
  });
  try {
    await connection.query(`CREATE DATABASE ${DATABASE}; USE ${DATABASE}`);
    return await work(connection);
  } finally {
    await connection.query(`DROP DATABASE IF EXISTS ${DATABASE}`).finally(() => connection.destroy());
  }
}

/** MyRocks has no generated columns. */
export async function createRows(
  connection: Connection,
  format = "",
  valueBytes = "GENERATED ALWAYS AS (LENGTH(value)) STORED",
) {
  await connection.query(
    `CREATE TABLE rows_of (\`key\` varbinary(577) NOT NULL PRIMARY KEY, version binary(16) NOT NULL, expires_at bigint, content_type varchar(255) NOT NULL, metadata varchar(1024), value mediumblob NOT NULL, value_bytes int unsigned ${valueBytes}, KEY (expires_at)) ${format}`,
  );
}

export async function dropRows(connection: Connection) {
  await connection.query("DROP TABLE rows_of");
}

export function keyOf(number: number): string {
  return `bench/${scattered(number)}`;
}

/** Returns the bytes of the statement. */
export async function insertRows(connection: Connection, rows: Row[]): Promise<number> {
  const hex = (bytes: string | Buffer) => `x'${Buffer.from(bytes as string).toString("hex")}'`;
  const tuples = rows.map(
    ({ key, value }) => `(${hex(key)}, RANDOM_BYTES(16), NULL, 'application/json', NULL, ${hex(value)})`,
  );
  const sql = `INSERT INTO rows_of (\`key\`, version, expires_at, content_type, metadata, value) VALUES ${tuples.join()}`;
  await connection.query<ResultSetHeader>(sql);
  return sql.length;
}

/** Writes all rows anew in the order of their keys. */
export async function rebuildRows(connection: Connection) {
  await connection.query("ALTER TABLE rows_of FORCE");
}

/** Of the table's file, once what has changed in memory has been written. */
export async function fileBytes(connection: Connection): Promise<number> {
  await connection.query("FLUSH TABLES rows_of FOR EXPORT; UNLOCK TABLES");
  const [[row]] = await connection.query<RowDataPacket[]>(
    `SELECT file_size FROM information_schema.innodb_tablespaces WHERE name = '${DATABASE}/rows_of'`,
  );
  return Number(row?.file_size ?? row?.FILE_SIZE);
}

/** Of the pages that hold rows: a file keeps those that have become empty. */
export async function leafPages(connection: Connection): Promise<number> {
  await connection.query("ANALYZE NO_WRITE_TO_BINLOG TABLE rows_of");
  const [[row]] = await connection.query<RowDataPacket[]>(
    `SELECT stat_value AS pages FROM mysql.innodb_index_stats WHERE database_name = '${DATABASE}' AND table_name = 'rows_of' AND index_name = 'PRIMARY' AND stat_name = 'n_leaf_pages'`,
  );
  return Number(row?.pages);
}
