// Very many keys that expire in the same millisecond: what readers see of them, how fast their rows go, and what that
// costs the callers of other keys.

import { setTimeout as sleep } from "node:timers/promises";
import { entryKey } from "../../src/store/store.ts";
import { step } from "../../vitess/support/progress.ts";
import { fillRows } from "../fill.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import type { CallFigures } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { figure, median, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { backlog, type Sample, type ShardAccess, whileSampling, withShards } from "./shards.ts";

export const ROWS = Number(process.env.KV_BENCH_KEYS || 1_000_000);
export const RATE = 500;
/** From the beginning of the filling to the expiry. */
const EXPIRY_MS = 30_000 + 0.09 * ROWS;
/** Loads while nobody sweeps and while one does, in turns: the machine's speed changes from one minute to the next. */
const TURNS = 15;
const LOAD: LoadOptions = { workload: "a", clients: [64], rate: RATE, namespace: "beside" };
const NAMESPACE = "mass";
const READERS = 2;
const READER_PAUSE_MS = 20;
const READ_MS = 3_000;
/** Whole milliseconds, rounded here and there. */
const TOLERANCE_MS = 2;

export interface MassResult {
  rows: number;
  seen: Seen;
  calm: Window[];
  sweeping: Window[];
  /** While a server swept and calls were made. */
  rowsPerSecondAndShard: number;
  /** The rest of them, without calls. */
  alone: { rows: number; rowsPerSecondAndShard: number };
  samples: Sample[];
}

interface Window {
  reads: CallFigures;
  writes: CallFigures;
  errors: number;
  violations: number;
  /** Reclaimed in each shard. */
  rows: number;
  seconds: number;
}

/** What readers of the expiring keys were answered. */
interface Seen {
  before: number;
  after: number;
  /** There after its time, or gone before it. */
  wrong: number;
  failed: number;
}

export async function massExpiry(rig: Rig): Promise<MassResult> {
  const cluster = await rig.cluster();
  const atMs = 1000 * Math.ceil((Date.now() + EXPIRY_MS) / 1000);
  await fillRows(rig, { rows: ROWS, keyOf: (row) => entryKey(NAMESPACE, String(row)), expiry: { atMs } });
  return await withShards(cluster, async (access) => {
    const calmServer = await rig.startServer({ KV_SWEEP: "false" });
    if (Date.now() > atMs - READ_MS) throw new Error("the keys expired before all of them were written");
    const seen = await readAround(calmServer.url, atMs, rig.signal);
    const { result, samples } = await whileSampling(cluster, access, async () => {
      const load = (name: string, turn: number, options: Pick<LoadOptions, "url" | "fill">) =>
        window(rig, access, `${name}, ${turn + 1} of ${TURNS}`, { ...LOAD, ...options });
      const calm: Window[] = [];
      const sweeping: Window[] = [];
      for (let turn = 0; turn < TURNS && (await backlog(access, 1)) > 0; turn++) {
        calm.push(await load("nobody sweeps", turn, { url: calmServer.url, fill: turn === 0 }));
        const sweeper = await rig.startServer();
        sweeping.push(await load("reclaiming", turn, { url: sweeper.url, fill: false }));
        await sweeper.stop();
      }
      return { calm, sweeping };
    });
    await calmServer.stop();
    const all = (of: "rows" | "seconds") => result.sweeping.reduce((sum, each) => sum + each[of], 0);
    const rowsPerSecondAndShard = all("rows") / all("seconds");
    return { rows: ROWS, seen, ...result, rowsPerSecondAndShard, alone: await drainAlone(rig, access), samples };
  });
}

/** From before the expiry until after it. */
async function readAround(url: string, atMs: number, signal: AbortSignal): Promise<Seen> {
  const seen: Seen = { before: 0, after: 0, wrong: 0, failed: 0 };
  const end = new AbortController();
  const reading = Array.from({ length: READERS }, () => readAlways(url, atMs, seen, end.signal));
  await step(`${figure(ROWS)} keys expire`, () => sleep(atMs - Date.now() + READ_MS, undefined, { signal }));
  // Each read of an expired key deletes it: that is not the sweep's cost.
  end.abort();
  await Promise.all(reading);
  return seen;
}

async function readAlways(url: string, atMs: number, seen: Seen, signal: AbortSignal) {
  while (!signal.aborted) {
    const key = Math.floor(Math.random() * ROWS);
    const begun = Date.now();
    const answer = await fetch(`${url}/v1/kv/${NAMESPACE}/${key}`).catch(() => undefined);
    await answer?.arrayBuffer();
    const ended = Date.now();
    if (answer?.status === 200) {
      seen.before += 1;
      if (begun > atMs + TOLERANCE_MS) seen.wrong += 1;
    } else if (answer?.status === 404) {
      seen.after += 1;
      if (ended < atMs - TOLERANCE_MS) seen.wrong += 1;
    } else seen.failed += 1;
    await sleep(READER_PAUSE_MS);
  }
}

async function window(rig: Rig, access: ShardAccess[], name: string, load: LoadOptions): Promise<Window> {
  const { seconds, warmupSeconds: warmup } = rig.options;
  const before = await backlog(access);
  const begun = performance.now();
  const result = await simulateLoad(rig, name, { ...load, seconds: 2 * seconds, warmup });
  const elapsedMs = performance.now() - begun;
  const left = await backlog(access);
  const { reads, writes, errors } = result.steps[0] as (typeof result.steps)[0];
  return {
    reads,
    writes,
    errors: sum(errors),
    violations: result.violations,
    rows: Math.max(0, before - left) / access.length,
    seconds: elapsedMs / 1000,
  };
}

/** What is left, by a server that nobody calls. */
async function drainAlone(rig: Rig, access: ShardAccess[]) {
  const sweeper = await rig.startServer();
  return await step("what is left, without calls", async () => {
    const begun = performance.now();
    const rows = await backlog(access);
    while ((await backlog(access, 1)) > 0) await sleep(250, undefined, { signal: rig.signal });
    const seconds = (performance.now() - begun) / 1000;
    await sweeper.stop();
    return { rows, rowsPerSecondAndShard: rows / seconds / access.length };
  });
}

/** The typical 99th percentile while rows are reclaimed against the typical one while they are not. */
export function slowdown({ calm, sweeping }: MassResult, calls: "reads" | "writes"): number {
  const typical = (windows: Window[]) => median(windows.map((each) => each[calls].latencyMs?.p99 ?? Number.NaN));
  return typical(sweeping) / typical(calm);
}

export function massTable({ calm, sweeping }: MassResult): string {
  const row = (name: string, { reads, writes, rows, seconds, errors, violations }: Window) => [
    name,
    ...[reads.latencyMs?.p50, reads.latencyMs?.p99, writes.latencyMs?.p50, writes.latencyMs?.p99].map(figure),
    figure(rows / seconds),
    String(errors + violations),
  ];
  return table(
    ["Time", "reads p50 ms", "p99 ms", "writes p50 ms", "p99 ms", "rows reclaimed/s a shard", "errors"],
    calm.flatMap((each, turn) => [row("nobody sweeps", each), row("reclaiming", sweeping[turn] as Window)]),
  );
}
