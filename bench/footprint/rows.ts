// What entries of several sizes take on disk, when they arrive in random order as keys of a hash do.

import { entryKey } from "../../src/store/store.ts";
import { sizeOf, truncate } from "../expiry/size.ts";
import { fillRows } from "../fill.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";

export interface RowSize {
  valueBytes: number;
  /** With an expiry. */
  rowBytes: number;
  indexBytes: number;
  /** Of the pages: bytes of a row against its share of the table. */
  fill: number;
}

const VALUE_BYTES = [32, 256, 1_000, 4_000, 10_000, 100_000];
/** Of each size: enough rows that the tree's edges do not count. */
const TOTAL_BYTES = 60e6;
const MOST_ROWS = 200_000;
/** `size/` and 16 digits; then content type, version, expiry and what InnoDB keeps with a row. */
const OTHER_BYTES = 21 + 24 + 16 + 8 + 24;
const DAY_MS = 86_400_000;

export async function measureRows(rig: Rig): Promise<RowSize[]> {
  const cluster = await rig.cluster();
  const sizes: RowSize[] = [];
  for (const valueBytes of VALUE_BYTES) {
    await truncate(cluster);
    const rows = Math.min(MOST_ROWS, Math.floor(TOTAL_BYTES / valueBytes));
    const keyOf = (row: number) => entryKey("size", Bun.hash.xxHash64(String(row)).toString(16).padStart(16, "0"));
    await fillRows(rig, { rows, keyOf, expiry: { afterMs: DAY_MS }, value: Buffer.alloc(valueBytes, "v") });
    const { rowBytes, indexBytes } = await sizeOf(cluster, rows);
    sizes.push({ valueBytes, rowBytes, indexBytes, fill: (valueBytes + OTHER_BYTES) / rowBytes });
  }
  await truncate(cluster);
  return sizes;
}

export function rowTable(sizes: RowSize[]): string {
  return table(
    ["Bytes of a value", "bytes of its row in the table", "of it used", "in the index of expiries"],
    sizes.map(({ valueBytes, rowBytes, indexBytes, fill }) => [
      figure(valueBytes),
      figure(rowBytes),
      `${figure(100 * fill)}%`,
      figure(indexBytes),
    ]),
  );
}
