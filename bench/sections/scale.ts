// What more of one thing does to throughput: all calls on one key, fifteen times the connections, five hundred times
// the rows.

import { entryKey } from "../../src/store/store.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, type Bar, barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { fillKeys, fillRows } from "../fill.ts";
import { find, type Measured, measureAll, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { storeSystem } from "../store.ts";
import { KEY_NAMES, KEYS, OPERATIONS, type Operation, VALUE_BYTES } from "../system.ts";

const CONNECTIONS = 1_000;
const MANY_CONNECTIONS = 15_000;
const ROWS = 5_000_000;
/** As many of them as the load generator can choose from: enough that nearly every page of the table is in use. */
const CHOSEN = 250_000;

const NAMES = {
  uniform: `${figure(KEYS)} keys`,
  hot: "one key",
  many: `${figure(KEYS)} keys, ${figure(MANY_CONNECTIONS)} connections`,
  rows: `${figure(ROWS)} keys`,
};

export async function scale(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const cluster = await rig.cluster();
  const before = await deadlocks(cluster);
  const server = await rig.startServer();
  await fillKeys(rig);
  const system = (name: string, connections: number, keys?: string[]) =>
    storeSystem(rig, server, name, connections, keys);
  const few = await measureAll(rig, [
    await system(NAMES.uniform, CONNECTIONS),
    await system(NAMES.hot, CONNECTIONS, KEY_NAMES.slice(0, 1)),
    await system(NAMES.many, MANY_CONNECTIONS),
  ]);
  await fillRows(rig, { rows: ROWS, keyOf: (row) => entryKey("bench", rowName(row)), expiry: "never" });
  const chosen = Array.from({ length: CHOSEN }, () => rowName(Math.floor(Math.random() * ROWS)));
  const measured = [...few, ...(await measureAll(rig, [await system(NAMES.rows, CONNECTIONS, chosen)]))];
  const bars = [...judge(measured), none(DEADLOCKS, (await deadlocks(cluster)) - before)];
  const rows = Object.values(NAMES).map((name) => [name, ...rateCells(measured, name)]);
  const results = table(["Load", ...RATE_COLUMNS], rows);
  return {
    versions: {
      vitess: VITESS_VERSION,
      mysql2: packageVersion("mysql2"),
      oha: versionOf(oha, /oha (\S+)/),
    },
    method: `One server, values of ${VALUE_BYTES} bytes, keys chosen uniformly at random, ${figure(CONNECTIONS)} connections unless it says otherwise; of the ${figure(ROWS)} keys, ${figure(CHOSEN)} chosen beforehand. Each figure measured for ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up. Every answer was a success.`,
    data: { measured, bars },
    markdown: [results, "## Bars", barTable(bars)].join("\n\n"),
  };
}

function judge(measured: Measured[]): Bar[] {
  const rate = (name: string, operation: Operation) => find(measured, name, operation)?.perSecond ?? Number.NaN;
  const ratio = (name: string, operation: Operation) => rate(name, operation) / rate(NAMES.uniform, operation);
  return OPERATIONS.flatMap((operation) => {
    const title = operation.toUpperCase();
    return [
      atLeast(`${title}, one key against ${NAMES.uniform}`, 1, ratio(NAMES.hot, operation)),
      atLeast(
        `${title}, ${figure(MANY_CONNECTIONS)} connections against ${figure(CONNECTIONS)}`,
        0.7,
        ratio(NAMES.many, operation),
      ),
      atLeast(`${title}, ${NAMES.rows} against ${NAMES.uniform}`, 0.8, ratio(NAMES.rows, operation)),
    ];
  });
}

function rowName(row: number): string {
  return `row${String(row).padStart(7, "0")}`;
}
