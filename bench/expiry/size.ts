// What an expiry costs on disk: the sizes of the two indexes of the same rows without TTLs and with them.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import { entryKey } from "../../src/store/store.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { fillRows } from "../fill.ts";
import { table } from "../report.ts";
import type { Rig } from "../rig.ts";

const ROWS = 200_000;
const PAGE_BYTES = 16 * 1024;

export interface Size {
  name: string;
  /** Of the clustered index, which holds the rows, and of the index of expiries. */
  rowBytes: number;
  indexBytes: number;
}

export async function measureSizes(rig: Rig): Promise<Size[]> {
  const cluster = await rig.cluster();
  const sizes: Size[] = [];
  for (const [name, expiry] of [
    ["without TTL", "never"],
    ["with TTL", { afterMs: 86_400_000 }],
  ] as const) {
    await truncate(cluster);
    await fillRows(rig, { rows: ROWS, keyOf: (row) => entryKey("size", `${name}-${row}`), expiry });
    sizes.push({ name, ...(await sizeOf(cluster, ROWS)) });
  }
  await truncate(cluster);
  return sizes;
}

export async function truncate({ vtgates }: ClusterStatus) {
  const connection = await createConnection(vtgates[0].url);
  await connection.query("TRUNCATE TABLE entries");
  connection.destroy();
}

/** Bytes of the two indexes for each of so many rows, over all shards. */
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

export function sizeTable(sizes: Size[]): string {
  return table(
    ["Rows", "bytes a row in the table", "in the index of expiries"],
    sizes.map(({ name, rowBytes, indexBytes }) => [name, rowBytes.toFixed(0), indexBytes.toFixed(0)]),
  );
}
