// Very many keys that expire in the same millisecond: what readers see of them, how fast their rows go, and what that
// costs the callers of other keys.

import { setTimeout as sleep } from "node:timers/promises";
import { entryKey } from "../../src/store/store.ts";
import { step } from "../../vitess/progress.ts";
import { fillRows } from "../fill.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import type { CallFigures } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { figure, median, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { backlog, type Sample, type ShardAccess, whileSampling, withShards } from "./shards.ts";

export const ROWS = 1_000_000;
/** From the beginning of the filling to the expiry. */
const FILL_MS = 180_000;
const ROUNDS = 5;
const LOAD: LoadOptions = { workload: "a", clients: [64], rate: 1_000, namespace: "beside" };
const NAMESPACE = "mass";
const READERS = 4;
const READER_PAUSE_MS = 10;
/** Whole milliseconds, rounded here and there. */
const TOLERANCE_MS = 2;

export interface MassResult {
  rows: number;
  reads: Seen;
  rounds: Round[];
  /** With nothing else under way, if any were left. */
  alone: { rows: number; perSecondAndShard: number };
  samples: Sample[];
}

interface Round {
  without: Window;
  with: Window;
}

interface Window {
  reads: CallFigures;
  writes: CallFigures;
  errors: number;
  violations: number;
  reclaimedPerSecondAndShard: number;
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
  const atMs = 1000 * Math.ceil((Date.now() + FILL_MS) / 1000);
  await fillRows(rig, { rows: ROWS, keyOf: (row) => entryKey(NAMESPACE, String(row)), expiry: { atMs } });
  if (Date.now() > atMs - 5_000) throw new Error("the rows were not written before they expired");
  return await withShards(cluster, async (access) => {
    const { result, samples } = await whileSampling(cluster, access, async () => {
      const seen: Seen = { before: 0, after: 0, wrong: 0, failed: 0 };
      const idle = await rig.startServer({ KV_SWEEP: "false" });
      await simulateLoad(rig, "fill", { ...LOAD, url: idle.url, seconds: 1, warmup: 0 });
      const end = new AbortController();
      const reading = Array.from({ length: READERS }, () => readAlways(idle.url, atMs, seen, end.signal));
      await step(`${figure(ROWS)} keys expire`, () => sleep(Math.max(0, atMs - Date.now()) + 500));
      const rounds: Round[] = [];
      while (rounds.length < ROUNDS && (await backlog(access)) > ROWS / 10) {
        rounds.push({
          without: await window(rig, access, `round ${rounds.length + 1}, no sweep`, "false"),
          with: await window(rig, access, `round ${rounds.length + 1}, sweep`, "true"),
        });
      }
      const alone = await drainAlone(rig, access);
      end.abort();
      await Promise.all(reading);
      return { seen, rounds, alone };
    });
    const { seen, rounds, alone } = result;
    return { rows: ROWS, reads: seen, rounds, alone, samples };
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

/** The same load on a server that sweeps, or one that does not. */
async function window(rig: Rig, access: ShardAccess[], name: string, sweeps: "true" | "false"): Promise<Window> {
  const { seconds, warmupSeconds: warmup } = rig.options;
  const before = await backlog(access);
  const server = await rig.startServer({ KV_SWEEP: sweeps });
  const begun = performance.now();
  const result = await simulateLoad(rig, name, { ...LOAD, url: server.url, seconds: 2 * seconds, warmup, fill: false });
  const left = await backlog(access);
  const elapsedSeconds = (performance.now() - begun) / 1000;
  await rig.stopServer(server);
  const { reads, writes, errors } = result.steps[0] as (typeof result.steps)[0];
  return {
    reads,
    writes,
    errors: sum(errors),
    violations: result.violations,
    reclaimedPerSecondAndShard: (before - left) / elapsedSeconds / access.length,
  };
}

async function drainAlone(rig: Rig, access: ShardAccess[]) {
  const rows = await backlog(access);
  const server = await rig.startServer();
  const begun = performance.now();
  while ((await backlog(access)) > 0) await sleep(250, undefined, { signal: rig.signal });
  const perSecondAndShard = (1000 * rows) / (performance.now() - begun) / access.length;
  await rig.stopServer(server);
  return { rows, perSecondAndShard };
}

/** Median over the rounds of the ratio of two windows' 99th percentiles. */
export function slowdown(rounds: Round[], calls: "reads" | "writes"): number {
  const p99 = (window: Window) => window[calls].latencyMs?.p99 ?? Number.NaN;
  return median(rounds.map((round) => p99(round.with) / p99(round.without)));
}

export function drainRate(rounds: Round[]): number {
  return median(rounds.map((round) => round.with.reclaimedPerSecondAndShard));
}

export function massTable(rounds: Round[]): string {
  const cells = (window: Window) => [
    ...[window.reads.latencyMs?.p50, window.reads.latencyMs?.p99].map(figure),
    ...[window.writes.latencyMs?.p50, window.writes.latencyMs?.p99].map(figure),
    figure(window.reclaimedPerSecondAndShard),
    String(window.errors + window.violations),
  ];
  return table(
    ["Round", "reads p50 ms", "p99 ms", "writes p50 ms", "p99 ms", "rows reclaimed/s a shard", "errors"],
    rounds.flatMap((round, i) => [
      [`${i + 1}, without`, ...cells(round.without)],
      [`${i + 1}, with the sweep`, ...cells(round.with)],
    ]),
  );
}
