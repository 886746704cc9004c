// Ways to reclaim the same rows under the same load: what each deletes, what it costs the callers, and whether it
// deadlocks with them.

import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Written } from "../../src/database/connect.ts";
import { StoreError } from "../../src/store/error.ts";
import { entryKey } from "../../src/store/store.ts";
import { sweepStep } from "../../src/sweep/step.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { deadlocks } from "../deadlocks.ts";
import { fillRows } from "../fill.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import { sum } from "../load/tally.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { backlog, type ShardAccess, whileSampling, withShards } from "./shards.ts";

const ROWS = 300_000;
/** Of a statement, where it has a limit. */
const LIMIT = 300;
const STATEMENT_MS = 30_000;
/** Before the next try, when there was nothing to do or a statement failed. */
const IDLE_MS = 200;
/** The foreground: short TTLs, so that its own rows are reclaimed too. */
const LOAD: LoadOptions = {
  workload: "ttl",
  distribution: "uniform",
  clients: [64],
  rate: 1_000,
  namespace: "strategies",
};
const NOW = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

interface Strategy {
  name: string;
  /** Each deletes some rows whenever it is called, and says how many; they run side by side. */
  loops: (() => Promise<number>)[];
}

export interface StrategyResult {
  name: string;
  /** While there was a backlog. */
  rowsPerSecondAndShard: number;
  failedStatements: number;
  deadlocks: number;
  lagSeconds: number;
  reads: { p50: number; p99: number };
  writes: { p50: number; p99: number };
  errors: number;
  violations: number;
}

/** The first result is that of no strategy. */
export async function compareStrategies(rig: Rig): Promise<StrategyResult[]> {
  const cluster = await rig.cluster();
  const whole = connect({ url: cluster.url, backend: "vitess", connections: 1, queueLimit: 1 });
  try {
    return await withShards(cluster, async (access) => {
      const statement = (name: string, sql: string) => ({ name, sql, params: [], writes: true });
      const direct = `DELETE FROM entries WHERE expires_at <= ${NOW} ORDER BY expires_at LIMIT ${LIMIT}`;
      const scatter = `DELETE /*vt+ MULTI_SHARD_AUTOCOMMIT=1 */ FROM entries WHERE expires_at <= ${NOW}`;
      const deleted = async (database: typeof whole, name: string, sql: string) =>
        (await database.execute<Written>(statement(name, sql), STATEMENT_MS)).affectedRows;
      const strategies: Strategy[] = [
        { name: "none", loops: [] },
        {
          name: `\`DELETE … WHERE expires_at <= now ORDER BY expires_at LIMIT ${LIMIT}\` on each shard`,
          loops: access.map(
            ({ database }) =>
              () =>
                deleted(database, "direct", direct),
          ),
        },
        {
          name: "`DELETE … WHERE expires_at <= now` through vtgate, for all shards",
          loops: [() => deleted(whole, "scatter", scatter)],
        },
        {
          name: `the step of this store, ${LIMIT} rows, on each shard, without a pause`,
          loops: access.map(
            ({ expired }) =>
              async () =>
                (await sweepStep(expired, { rows: LIMIT, ms: STATEMENT_MS })).deleted,
          ),
        },
      ];
      const results: StrategyResult[] = [];
      for (const strategy of strategies) results.push(await run(rig, cluster, access, strategy));
      return results;
    });
  } finally {
    await whole.close();
  }
}

async function run(
  rig: Rig,
  cluster: ClusterStatus,
  access: ShardAccess[],
  { name, loops }: Strategy,
): Promise<StrategyResult> {
  const { seconds, warmupSeconds } = rig.options;
  const run = `strategy${Date.now()}`;
  if (loops.length > 0)
    await fillRows(rig, { rows: ROWS, keyOf: (row) => entryKey(run, String(row)), expiry: { atMs: 1 } });
  const server = await rig.startServer({ KV_SWEEP: "false" });
  const before = await deadlocks(cluster);
  let rows = 0;
  let failedStatements = 0;
  let drainedMs = 0;
  let isOver = false;
  const begun = performance.now();
  const work = loops.map(async (reclaim) => {
    while (!isOver) {
      const count = await reclaim().catch((error) => {
        if (!(error instanceof StoreError)) throw error;
        failedStatements += 1;
        return Number.NaN;
      });
      if (count > 0) rows += count;
      if (count > LIMIT / 2) drainedMs = performance.now() - begun;
      else await sleep(IDLE_MS);
    }
  });
  const load = { ...LOAD, url: server.url, seconds: 2 * seconds, warmup: warmupSeconds };
  const { result, samples } = await whileSampling(cluster, access, async () => {
    const figures = await simulateLoad(rig, name, load);
    isOver = true;
    await Promise.all(work);
    return figures;
  });
  await rig.stopServers();
  const after = await deadlocks(cluster);
  await drain(access);
  const { reads, writes, errors } = result.steps[0] as (typeof result.steps)[0];
  const latency = (calls: typeof reads) => ({ p50: calls.latencyMs?.p50 ?? 0, p99: calls.latencyMs?.p99 ?? 0 });
  return {
    name,
    rowsPerSecondAndShard: (1000 * rows) / drainedMs / access.length,
    failedStatements,
    deadlocks: after - before,
    lagSeconds: Math.max(...samples.map(({ lagSeconds }) => lagSeconds)),
    reads: latency(reads),
    writes: latency(writes),
    errors: sum(errors),
    violations: result.violations,
  };
}

/** Leaves nothing expired to the next. */
async function drain(access: ShardAccess[]) {
  while ((await backlog(access)) > 0) {
    await Promise.all(access.map(({ expired }) => sweepStep(expired, { rows: 1000, ms: STATEMENT_MS })));
  }
}

export function strategyTable(results: StrategyResult[]): string {
  const [none] = results as [StrategyResult];
  const ratio = (result: StrategyResult, calls: "reads" | "writes") => figure(result[calls].p99 / none[calls].p99);
  return table(
    [
      ...["Strategy", "rows/s a shard", "deadlocks", "failed statements"],
      ...["reads p50 ms", "p99 ms", "÷ none", "writes p50 ms", "p99 ms", "÷ none", "replicas' lag s", "errors"],
    ],
    results.map((result) => [
      ...[result.name, figure(result.rowsPerSecondAndShard), String(result.deadlocks), String(result.failedStatements)],
      ...[figure(result.reads.p50), figure(result.reads.p99), ratio(result, "reads")],
      ...[figure(result.writes.p50), figure(result.writes.p99), ratio(result, "writes")],
      ...[String(result.lagSeconds), String(result.errors + result.violations)],
    ]),
  );
}
