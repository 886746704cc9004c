// Three times more calls than can be done: what becomes of those that are let in, of memory, and of the time after.

import { line, ruleX } from "@observablehq/plot";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { clusterGroups, coresOf, type Groups, withCores } from "../cpu.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import type { LoadResult } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { memoryMb } from "../memory.ts";
import { COLOURS } from "../plot.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const TIMES = 3;
/** Of the greatest load, what counts as a normal one. */
const NORMAL = 0.5;
const CONNECTIONS = 1_000;
/** Each carries one call at a time: they must be more than the server lets in. */
const OVERLOAD_CONNECTIONS = 6_000;
const QUEUE_CALLS = 1_500;
const RECOVERY_SECONDS = 10;
const SAMPLE_MS = 250;
/** A second is normal again when its median is at most this multiple of the median second's before. */
const NORMAL_AGAIN = 1.5;

interface Phase {
  name: string;
  offered: number | null;
  accepted: number;
  refused: number;
  errors: number;
  violations: number;
  p50Ms: number;
  p99Ms: number;
  memoryMb: { last: number; most: number };
  cores: { simulator: number; server: number; cluster: number };
  seconds: LoadResult["steps"][number]["seconds"];
  /** When its first second began, and when its last ended, as performance.now() counts. */
  begunMs: number;
  endedMs: number;
}

export async function overload(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  const server = await rig.startServer({ KV_QUEUE_CALLS: String(QUEUE_CALLS) });
  const { seconds, warmupSeconds } = rig.options;
  const common = { url: server.url, workload: "a", processes: 1, namespace: "overload" } as const;
  const phase = (name: string, options: Partial<LoadOptions>) =>
    runPhase(rig, name, { ...clusterGroups(cluster), server: [server.pid] }, { ...common, fill: false, ...options });

  const peak = await phase("the most it can do", {
    clients: [CONNECTIONS],
    seconds,
    warmup: warmupSeconds,
    fill: true,
  });
  const normal = { clients: [CONNECTIONS], rate: NORMAL * peak.accepted };
  const before = await phase("before", { ...normal, seconds, warmup: warmupSeconds });
  const over = await phase(`${TIMES} times that`, {
    clients: [OVERLOAD_CONNECTIONS],
    rate: TIMES * peak.accepted,
    seconds: 2 * seconds,
    warmup: 0,
  });
  const after = await phase("after", { ...normal, seconds: RECOVERY_SECONDS, warmup: 0 });

  const phases = [peak, before, over, after];
  const bars = judge(peak, before, over, after);
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `YCSB's workload A with the load simulator in one process, on the same cores as all else. First as many calls as ${figure(CONNECTIONS)} connections can make one after the other; then ${NORMAL} times as many per second, ${TIMES} times as many over ${figure(OVERLOAD_CONNECTIONS)} connections with KV_QUEUE_CALLS=${QUEUE_CALLS}, and at once the same as before. Latencies of accepted calls, from when each was due.`,
    data: { phases, bars },
    markdown: [phaseTable(phases), "## Bars", barTable(bars)].join("\n\n"),
    plots: [latencyPlot(before, after)],
  };
}

async function runPhase(rig: Rig, name: string, groups: Groups, options: LoadOptions): Promise<Phase> {
  const [pid] = groups.server as [number];
  const memory: number[] = [];
  const sample = () => memory.push(memoryMb(pid));
  const timer = setInterval(sample, SAMPLE_MS);
  sample();
  try {
    // The simulator's processes come and go with the run: it says itself what they used.
    const load = async () => ({ ...(await simulateLoad(rig, name, options)), cpuSeconds: 0 });
    const { result, cores } = await withCores(groups, load);
    const endedMs = performance.now();
    const [figures] = result.steps as [LoadResult["steps"][number]];
    const { reads, writes, refused, errors, measuredSeconds, seconds } = figures;
    const accepted = reads.perSecond + writes.perSecond;
    const turnedAway = sum(refused) / measuredSeconds;
    const { server = 0 } = cores;
    sample();
    return {
      name,
      offered: options.rate ?? null,
      accepted,
      refused: turnedAway,
      errors: sum(errors),
      violations: result.violations,
      p50Ms: medianOf(seconds.map(({ p50Ms }) => p50Ms)),
      p99Ms: medianOf(seconds.map(({ p99Ms }) => p99Ms)),
      cores: {
        simulator: (figures.generatorMicrosecondsPerCall * (accepted + turnedAway)) / 1e6,
        server,
        cluster: coresOf(groups, cores) - server,
      },
      memoryMb: { last: memory.at(-1) ?? 0, most: Math.max(...memory) },
      seconds,
      begunMs: endedMs - 1000 * (seconds.at(-1)?.atSeconds ?? 0),
      endedMs,
    };
  } finally {
    clearInterval(timer);
  }
}

/** Of the seconds in which a call that counts has ended. */
function medianOf(values: (number | null)[]): number {
  return median(values.filter((value) => value !== null));
}

function judge(peak: Phase, before: Phase, over: Phase, after: Phase): Bar[] {
  const slow = after.seconds.findLast(({ p50Ms }) => (p50Ms ?? Number.POSITIVE_INFINITY) > NORMAL_AGAIN * before.p50Ms);
  const normalAgainMs = after.begunMs + 1000 * (slow?.atSeconds ?? 0) - over.endedMs;
  const all = [peak, before, over, after];
  return [
    atLeast(`accepted calls/s under ${TIMES} times the load, against the most`, 0.8, over.accepted / peak.accepted),
    atMost("memory at most during it, against its most before", 1.5, over.memoryMb.most / before.memoryMb.most),
    atMost("seconds after it until latency is normal again", 5, normalAgainMs / 1000),
    none(
      "errors other than being turned away",
      all.reduce((total, { errors }) => total + errors, 0),
    ),
    none(
      "wrong or stale answers",
      all.reduce((total, { violations }) => total + violations, 0),
    ),
  ];
}

function phaseTable(phases: Phase[]): string {
  return table(
    [
      "Load",
      "offered/s",
      "accepted/s",
      "turned away/s",
      "p50 ms",
      "p99 ms",
      "server's memory, most MB",
      "at its end MB",
      "cores: simulator",
      "server",
      "cluster",
    ],
    phases.map(({ name, offered, accepted, refused, p50Ms, p99Ms, memoryMb: { most, last }, cores }) => [
      name,
      ...[offered ?? undefined, accepted, refused, p50Ms, p99Ms, most, last].map((value) => figure(value)),
      ...[cores.simulator, cores.server, cores.cluster].map((used) => used.toFixed(2)),
    ]),
  );
}

function latencyPlot(before: Phase, after: Phase) {
  const names = ["p50", "p99"];
  const points = [before, after].flatMap(({ seconds }, phase) =>
    seconds.flatMap(({ atSeconds, p50Ms, p99Ms }) =>
      [p50Ms, p99Ms].map((y, i) => ({
        x: phase === 0 ? atSeconds - (before.seconds.at(-1)?.atSeconds ?? 0) : atSeconds,
        y,
        name: names[i],
        z: `${phase} ${i}`,
      })),
    ),
  );
  return {
    width: 760,
    height: 300,
    marginLeft: 60,
    x: { label: "seconds, before the overload and after it" },
    y: { label: "latency, ms", type: "log" as const, grid: true },
    color: { domain: names, range: COLOURS.slice(0, 2) },
    marks: [ruleX([0]), line(points, { x: "x", y: "y", stroke: "name", z: "z" })],
  };
}
