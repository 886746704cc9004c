// What more of one thing does to throughput: all calls on one key, fifteen times the connections, five hundred times
// the rows.

import { inspectBackend } from "../../src/store/backend.ts";
import { connect } from "../../src/store/connect.ts";
import { watchShards } from "../../src/store/shards.ts";
import { SqlStore } from "../../src/store/sql.ts";
import { entryKey, newVersion, type Put } from "../../src/store/store.ts";
import { step } from "../../vitess/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology.ts";
import { atLeast, type Bar, barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { find, type Measured, measureAll, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { ENTRY, fillStore, storeSystem } from "../store.ts";
import { KEY_NAMES, KEYS, OPERATIONS, type Operation, VALUE_BYTES } from "../system.ts";

const CONNECTIONS = 1_000;
const MANY_CONNECTIONS = 15_000;
const ROWS = 5_000_000;
/** As many of them as the load generator can choose from: enough that nearly every page of the table is in use. */
const CHOSEN = 250_000;

/** Of the filling: statements at once in each shard, and rows in each. */
const FILL_STATEMENTS = 2;
const FILL_ROWS = 1_000;
const FILL_DEADLINE_MS = 60_000;

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
  await fillStore(rig, server);
  const system = (name: string, connections: number, keys?: string[]) =>
    storeSystem(rig, server, name, connections, keys);
  const few = await measureAll(rig, [
    await system(NAMES.uniform, CONNECTIONS),
    await system(NAMES.hot, CONNECTIONS, KEY_NAMES.slice(0, 1)),
    await system(NAMES.many, MANY_CONNECTIONS),
  ]);
  await fillRows(rig, cluster.url, cluster.vtgate.database);
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

/** Writes all rows with the server's own statements, but without a call for each. */
async function fillRows({ signal }: Rig, url: string, keyspace: string) {
  const database = connect({ url, backend: await inspectBackend(url), connections: 16, queueLimit: 100 });
  try {
    const { shardOf } = await watchShards(database, {
      backend: "vitess",
      keyspace,
      hash: (key) => Bun.hash.xxHash64(key),
    });
    const store = new SqlStore(database, { deadlineMs: FILL_DEADLINE_MS });
    let written = 0;
    await step(`write ${figure(ROWS)} rows`, async (report) => {
      const statements = batches(shardOf);
      const worker = async () => {
        for (const puts of statements) {
          signal.throwIfAborted();
          await store.putMany(puts, performance.now() + FILL_DEADLINE_MS);
          written += puts.length;
          report(figure(written));
        }
      };
      await Promise.all(Array.from({ length: 2 * FILL_STATEMENTS }, worker));
    });
  } finally {
    await database.close();
  }
}

/** All rows as statements, each for one shard. */
function* batches(shardOf: (key: Put["key"]) => string): Generator<Put[], undefined> {
  const pending = new Map<string, Put[]>();
  for (let row = 0; row < ROWS; row++) {
    const key = entryKey("bench", rowName(row));
    const shard = shardOf(key);
    const puts = pending.get(shard) ?? [];
    pending.set(shard, puts);
    puts.push({ key, version: newVersion(), entry: ENTRY });
    if (puts.length === FILL_ROWS) {
      pending.delete(shard);
      yield puts;
    }
  }
  yield* pending.values();
}
