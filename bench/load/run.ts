// Runs the load simulator: starts its processes, leads them through the fill and the measurements, and adds up what
// they report.

import { randomBytes } from "node:crypto";
import { availableParallelism, release } from "node:os";
import type { Histogram } from "hdr-histogram-js";
import type { Violation } from "./checker.ts";
import type { WorkerResult } from "./child.ts";
import { connectionOptions } from "./connections.ts";
import { type CheckedOptions, checkOptions, type LoadOptions, LoadProblem } from "./options.ts";
import { Processes } from "./processes.ts";
import { sum, Tally } from "./tally.ts";
import { RUN_CHARACTERS } from "./value.ts";
import { isHot } from "./workload.ts";

/** Opening connections takes this long at most, and longer the more there are. */
const CONNECT_MS = { base: 10_000, each: 2 };
/** Enough to fill the server's batches. */
const FILLING_CONNECTIONS = 256;

export interface LoadResult {
  options: CheckedOptions;
  machine: { cores: number; kernel: string; bun: string };
  startedAt: string;
  steps: StepResult[];
  /** Of all steps and of the fill. */
  violations: number;
  /** The first of them in words. */
  examples: string[];
  interrupted: boolean;
}

/** One number of clients. */
export interface StepResult {
  clients: number;
  /** Open when the measured time ended. */
  connections: number;
  measuredSeconds: number;
  reads: CallFigures;
  writes: CallFigures;
  /** These count the warm-up too. */
  absent: number;
  conflicts: number;
  refused: Record<string, number>;
  errors: Record<string, number>;
  violations: Record<Violation, number>;
  notStarted: number;
  /** CPU of the simulator itself, which takes it from the server's share. */
  generatorMicrosecondsPerCall: number;
  seconds: SecondFigures[];
}

export interface CallFigures {
  /** Answers within the measured time. */
  count: number;
  perSecond: number;
  /** Of calls that began in the measured time; null where there are none. */
  latencyMs: { p50: number; p90: number; p99: number; p999: number; max: number } | null;
}

/** One second of a step, its warm-up included; rates are per second, latencies of calls that are measured. */
interface SecondFigures {
  /** When it ended, from the step's beginning. */
  atSeconds: number;
  readsPerSecond: number;
  writesPerSecond: number;
  refusedPerSecond: number;
  errors: number;
  notStarted: number;
  violations: number;
  connections: number;
  p50Ms: number | null;
  p99Ms: number | null;
}

export interface LoadHooks {
  signal?: AbortSignal;
  /** Wraps each stage, to show its progress; the stage tells `report` how far it is. */
  step?: <T>(title: string, work: (report: (detail: string) => void) => Promise<T>) => Promise<T>;
}

/** Throws a LoadProblem when the options are wrong or the server can't be reached. */
export async function runLoad(options: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> {
  const checked = checkOptions(options);
  const { signal, step = (_, work) => work(() => {}) } = hooks;
  await Promise.all(checked.url.map(reach));
  const processes = new Processes(checked.processes);
  const interrupt = () => processes.interrupt();
  signal?.addEventListener("abort", interrupt);
  const result: LoadResult = {
    options: checked,
    machine: { cores: availableParallelism(), kernel: release(), bun: Bun.version },
    startedAt: new Date().toISOString(),
    steps: [],
    violations: 0,
    examples: [],
    interrupted: false,
  };
  try {
    await prepare(processes, checked);
    if (checked.fill) await fill(processes, checked, step);
    for (const clients of checked.clients) {
      if (signal?.aborted) break;
      await measure(processes, clients, result, step);
    }
    await processes.all(() => ({ do: "connect", connections: 0, withinMs: 0 }));
  } finally {
    signal?.removeEventListener("abort", interrupt);
    await processes.kill();
  }
  result.interrupted = signal?.aborted ?? false;
  return result;
}

type Step = NonNullable<LoadHooks["step"]>;

async function reach(url: string) {
  try {
    await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(5000) });
  } catch {
    throw new LoadProblem(`No server answers at ${url}: start one, or name another with --url.`);
  }
}

async function prepare(processes: Processes, options: CheckedOptions) {
  const run = randomBytes(RUN_CHARACTERS / 2).toString("hex");
  const most = Math.max(...options.clients);
  const connections = connectionOptions(options.url, most, processes.count, options.addresses);
  const { namespace, workload, distribution, reads, keys, valueBytes } = options;
  await processes.all((process) => ({
    do: "prepare",
    calls: {
      ...{ namespace, run, workload, distribution, reads, keys, valueBytes },
      share: { process, processes: processes.count },
    },
    connections,
  }));
}

async function fill(processes: Processes, { keys, workload }: CheckedOptions, step: Step) {
  // Locks are not there before they are taken.
  if (workload === "locks") return;
  await connect(processes, Math.max(processes.count, FILLING_CONNECTIONS), () => {});
  const total = isHot(workload) ? processes.count : keys;
  await step(`write ${thousands(total)} keys`, async (report) => {
    await processes.all(
      () => ({ do: "fill" }),
      progress(processes, (count) => report(thousands(count))),
    );
  });
}

/** Opens connections, or closes some. */
async function connect(processes: Processes, clients: number, report: (count: number) => void) {
  const share = (process: number) => Math.floor((clients + process) / processes.count);
  const withinMs = CONNECT_MS.base + CONNECT_MS.each * clients;
  const command = (process: number) => ({ do: "connect", connections: share(process), withinMs }) as const;
  let open = 0;
  const shown = progress(processes, (count) => {
    open = count;
    report(count);
  });
  await processes.all(command, shown);
  if (open === 0) throw new LoadProblem("The server takes no connections.");
}

function progress(processes: Processes, report: (sum: number) => void) {
  const counts = Array.from({ length: processes.count }, () => 0);
  return (message: { is: string; count?: number }, process: number) => {
    counts[process] = message.count ?? 0;
    report(counts.reduce((all, count) => all + count, 0));
  };
}

/** What the processes have reported of one second so far. */
interface Second {
  atMs: number;
  connections: number;
  reports: number;
  tally: Tally;
}

async function measure(processes: Processes, clients: number, result: LoadResult, step: Step) {
  const { warmup, seconds, rate } = result.options;
  const title = `${thousands(clients)} client${clients === 1 ? "" : "s"}`;
  await step(title, async (report) => {
    await connect(processes, clients, (count) => report(`${thousands(count)} connected`));
    const period = { warmupMs: warmup * 1000, measuredMs: seconds * 1000, rate: rate && rate / processes.count };
    const total = new Tally();
    const series: SecondFigures[] = [];
    const begun: Second[] = [];
    const reported = Array.from({ length: processes.count }, () => 0);
    const results = await processes.all(
      () => ({ do: "measure", period }),
      (message, process) => {
        if (message.is !== "second") return;
        const tally = Tally.decode(message.tally);
        total.add(tally);
        if (message.atMs === undefined) return;
        // Of the seconds not finished yet, this process reports the first that it has not reported.
        const index = (reported[process] as number) - series.length;
        reported[process] = (reported[process] as number) + 1;
        begun[index] ??= { atMs: 0, connections: 0, reports: 0, tally: new Tally() };
        const second = begun[index] as Second;
        second.atMs = Math.max(second.atMs, message.atMs);
        second.connections += message.connections;
        second.reports += 1;
        second.tally.add(tally);
        if (second.reports < processes.count) return;
        begun.shift();
        const figures = figuresOf(second, series.at(-1));
        series.push(figures);
        report(progressLine(figures, total));
      },
    );
    const figures = stepResult(clients, series, total, results as WorkerResult[]);
    result.steps.push(figures);
    result.violations += sum(figures.violations);
    result.examples = (results as WorkerResult[]).flatMap(({ examples }) => examples).slice(0, 10);
  });
}

function progressLine(second: SecondFigures, { counts }: Tally): string {
  const parts = [
    `${thousands(second.readsPerSecond + second.writesPerSecond)} calls/s`,
    ...(second.p99Ms === null ? [] : [`p99 ${milliseconds(second.p99Ms)} ms`]),
    ...(sum(counts.refused) > 0 ? [`${thousands(sum(counts.refused))} refused`] : []),
    `${thousands(sum(counts.errors))} errors`,
    `${sum(counts.violations)} violations`,
    `${thousands(second.connections)} connections`,
  ];
  return parts.join(", ");
}

function stepResult(clients: number, seconds: SecondFigures[], total: Tally, results: WorkerResult[]): StepResult {
  const add = (pick: (result: WorkerResult) => number) => results.reduce((all, result) => all + pick(result), 0);
  const calls = add((result) => result.calls);
  const measuredSeconds = Math.max(...results.map(({ measuredMs }) => measuredMs)) / 1000;
  const figures = (kind: "reads" | "writes"): CallFigures => {
    const count = add((result) => result[kind]);
    return { count, perSecond: measuredSeconds > 0 ? count / measuredSeconds : 0, latencyMs: latencies(total[kind]) };
  };
  const { absent, conflicts, refused, errors, violations, notStarted } = total.counts;
  return {
    clients,
    connections: seconds.at(-1)?.connections ?? 0,
    measuredSeconds,
    reads: figures("reads"),
    writes: figures("writes"),
    ...{ absent, conflicts, refused, errors, violations, notStarted },
    generatorMicrosecondsPerCall: add((result) => result.cpuMicroseconds) / Math.max(calls, 1),
    seconds,
  };
}

function figuresOf({ atMs, connections, tally }: Second, before: SecondFigures | undefined): SecondFigures {
  const { counts, reads, writes } = tally;
  const seconds = Math.max(atMs / 1000 - (before?.atSeconds ?? 0), 0.001);
  const perSecond = (count: number) => Math.round(count / seconds);
  const both = new Tally().reads;
  both.add(reads);
  both.add(writes);
  const latency = latencies(both);
  return {
    atSeconds: Math.round(atMs / 10) / 100,
    readsPerSecond: perSecond(counts.reads),
    writesPerSecond: perSecond(counts.writes),
    refusedPerSecond: perSecond(sum(counts.refused)),
    errors: sum(counts.errors),
    notStarted: counts.notStarted,
    violations: sum(counts.violations),
    connections,
    p50Ms: latency?.p50 ?? null,
    p99Ms: latency?.p99 ?? null,
  };
}

function latencies(histogram: Histogram): CallFigures["latencyMs"] {
  if (histogram.totalCount === 0) return null;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 };
}

export function thousands(number: number): string {
  return Math.round(number).toLocaleString("en");
}

/** Three digits that matter. */
export function milliseconds(ms: number): string {
  return ms >= 100 ? thousands(ms) : ms.toPrecision(3);
}
