// What rows take on disk, as InnoDB itself counts its pages.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import type { ClusterStatus } from "../vitess/run/status.ts";

const PAGE_BYTES = 16 * 1024;

export async function truncate({ vtgates }: ClusterStatus) {
  const connection = await createConnection(vtgates[0].url);
  await connection.query("TRUNCATE TABLE entries");
  connection.destroy();
}

/** Bytes of the clustered index, which holds the rows, and of the index of expiries for each of so many rows. */
export async function sizeOf({ tablets }: ClusterStatus, rows: number) {
  const pages = { PRIMARY: 0, entries_expires_at: 0 };
  for (const { mysqlSocket } of tablets.filter(({ role }) => role === "primary")) {
    const connection = await createConnection({ socketPath: mysqlSocket, user: "vt_dba", database: "vt_kv" });
    // Its result is not for replicas, which are read only.
    await connection.query("ANALYZE NO_WRITE_TO_BINLOG TABLE entries");
    const [found] = await connection.query<RowDataPacket[]>(
      "SELECT index_name AS name, stat_value AS pages FROM mysql.innodb_index_stats WHERE table_name = 'entries' AND stat_name = 'size'",
    );
    connection.destroy();
    for (const row of found) pages[row.name as keyof typeof pages] += Number(row.pages);
  }
  const perRow = (count: number) => (count * PAGE_BYTES) / rows;
  return { rowBytes: perRow(pages.PRIMARY), indexBytes: perRow(pages.entries_expires_at) };
}
