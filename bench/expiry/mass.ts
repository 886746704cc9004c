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
/** From the beginning of the filling to the expiry, which the calm windows are before too. */
const EXPIRY_MS = 90_000 + 0.09 * ROWS;
/** Loads before the expiry, and as many when all is reclaimed. */
const CALM_WINDOWS = 3;
const LOAD: LoadOptions = { workload: "a", clients: [64], rate: RATE, namespace: "beside" };
const NAMESPACE = "mass";
const READERS = 2;
const READER_PAUSE_MS = 20;
const READ_AFTER_MS = 3_000;
/** Whole milliseconds, rounded here and there. */
const TOLERANCE_MS = 2;

export interface MassResult {
  rows: number;
  seen: Seen;
  before: Window[];
  during: Window[];
  after: Window[];
  /** While rows were left and calls were made. */
  rowsPerSecondAndShard: number;
  /** Others, while no calls were made. */
  alone: { rows: number; rowsPerSecondAndShard: number };
  samples: Sample[];
}

interface Window {
  reads: CallFigures;
  writes: CallFigures;
  errors: number;
  violations: number;
  /** Reclaimed a second in each shard. */
  rowsPerSecondAndShard: number;
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
    const { url } = await rig.startServer();
    const { result, samples } = await whileSampling(cluster, access, async () => {
      const load = (name: string, fill = false) => window(rig, access, name, { ...LOAD, url, fill });
      const calm = async (name: string, fill = false) => {
        const windows: Window[] = [];
        for (let n = 1; n <= CALM_WINDOWS; n++) {
          windows.push(await load(`${name}, ${n} of ${CALM_WINDOWS}`, fill && n === 1));
        }
        return windows;
      };
      const before = await calm("before the expiry", true);
      if (Date.now() > atMs - 5_000) throw new Error("the keys expired before all was measured that comes before it");
      const seen: Seen = { before: 0, after: 0, wrong: 0, failed: 0 };
      const end = new AbortController();
      const reading = Array.from({ length: READERS }, () => readAlways(url, atMs, seen, end.signal));
      await step(`${figure(ROWS)} keys expire`, () =>
        sleep(Math.max(0, atMs - Date.now()) + READ_AFTER_MS, undefined, { signal: rig.signal }),
      );
      // Each read of an expired key deletes it: that is not the sweep's cost.
      end.abort();
      await Promise.all(reading);
      const during: Window[] = [];
      const begun = performance.now();
      const all = await backlog(access);
      let left = all;
      while (left > 0) {
        during.push(await load(`reclaiming, ${figure(left)} rows left`));
        left = await backlog(access);
      }
      const rowsPerSecondAndShard = (1000 * all) / (performance.now() - begun) / access.length;
      const after = await calm("all is reclaimed");
      return { seen, before, during, after, rowsPerSecondAndShard };
    });
    const alone = await drainAlone(rig, access);
    return { rows: ROWS, ...result, alone, samples };
  });
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
  const left = await backlog(access);
  const elapsedMs = performance.now() - begun;
  const { reads, writes, errors } = result.steps[0] as (typeof result.steps)[0];
  return {
    reads,
    writes,
    errors: sum(errors),
    violations: result.violations,
    rowsPerSecondAndShard: (1000 * Math.max(0, before - left)) / elapsedMs / access.length,
  };
}

/** Some more rows, with nothing else under way. */
async function drainAlone(rig: Rig, access: ShardAccess[]) {
  const rows = ROWS / 2;
  const atMs = 1000 * Math.ceil((Date.now() + EXPIRY_MS / 2) / 1000);
  await fillRows(rig, { rows, keyOf: (row) => entryKey("alone", String(row)), expiry: { atMs } });
  return await step(`${figure(rows)} rows without calls`, async () => {
    await sleep(Math.max(0, atMs - Date.now()), undefined, { signal: rig.signal });
    const begun = performance.now();
    while ((await backlog(access)) > 0) await sleep(250, undefined, { signal: rig.signal });
    return { rows, rowsPerSecondAndShard: (1000 * rows) / (performance.now() - begun) / access.length };
  });
}

/** The typical 99th percentile while rows are reclaimed against the typical one before and after. */
export function slowdown({ before, during, after }: MassResult, calls: "reads" | "writes"): number {
  const typical = (windows: Window[]) => median(windows.map((each) => each[calls].latencyMs?.p99 ?? Number.NaN));
  return typical(during) / typical([...before, ...after]);
}

export function massTable({ before, during, after }: MassResult): string {
  const row = (name: string) => (window: Window) => [
    name,
    ...[window.reads.latencyMs?.p50, window.reads.latencyMs?.p99].map(figure),
    ...[window.writes.latencyMs?.p50, window.writes.latencyMs?.p99].map(figure),
    figure(window.rowsPerSecondAndShard),
    String(window.errors + window.violations),
  ];
  return table(
    ["Time", "reads p50 ms", "p99 ms", "writes p50 ms", "p99 ms", "rows reclaimed/s a shard", "errors"],
    [...before.map(row("before")), ...during.map(row("reclaiming")), ...after.map(row("after"))],
  );
}
