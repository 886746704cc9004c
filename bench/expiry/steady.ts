// Keys that are written with TTLs at a steady rate: how late their rows are reclaimed, and whether any pile up.

import { simulateLoad } from "../generators.ts";
import { sum } from "../load/tally.ts";
import { median } from "../report.ts";
import type { Rig } from "../rig.ts";
import { type Sample, whileSampling, withShards } from "./shards.ts";

export const RATE = 2_000;
const SECONDS = 300;

export interface SteadyResult {
  seconds: number;
  writesPerSecond: number;
  errors: number;
  violations: number;
  samples: Sample[];
  /** The latest that any sample found a row. */
  oldestAgeMs: number;
  /** Of the oldest row's age, which tells of a backlog without a limit: its median in the last third against the middle. */
  growth: number;
}

export async function steadyExpiry(rig: Rig): Promise<SteadyResult> {
  const cluster = await rig.cluster();
  const server = await rig.startServer();
  const { result, samples } = await withShards(cluster, (access) =>
    whileSampling(cluster, access, () =>
      simulateLoad(rig, "steady", {
        ...{ url: server.url, workload: "expiring", distribution: "uniform", keys: 1_000_000, fill: false },
        ...{ clients: [256], rate: RATE, seconds: SECONDS, warmup: rig.options.warmupSeconds, namespace: "steady" },
      }),
    ),
  );
  await rig.stopServers();
  const third = (n: number) =>
    samples.slice(Math.floor((n * samples.length) / 3), Math.floor(((n + 1) * samples.length) / 3));
  const typical = (some: Sample[]) => median(some.map(({ oldestAgeMs }) => oldestAgeMs));
  const [figures] = result.steps as [(typeof result.steps)[0]];
  return {
    seconds: SECONDS,
    writesPerSecond: figures.writes.perSecond,
    errors: sum(figures.errors),
    violations: result.violations,
    samples,
    oldestAgeMs: Math.max(...samples.map(({ oldestAgeMs }) => oldestAgeMs)),
    growth: typical(third(2)) / typical(third(1)),
  };
}
