// Runs the load simulator: fills, measures one number of clients after the other, and adds up what the generator reports.

import { randomBytes } from "node:crypto";
import { availableParallelism, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Histogram } from "hdr-histogram-js";
import { Problem } from "../cli.ts";
import { figure } from "../report.ts";
import type { Violation } from "./checker.ts";
import { connectionOptions } from "./connections.ts";
import { Generator } from "./generator.ts";
import { type CheckedOptions, checkOptions, type LoadOptions } from "./options.ts";
import { newHistogram, percentileMs, sum, Tally } from "./tally.ts";
import { RUN_CHARACTERS } from "./value.ts";
import { callsOf } from "./workloads.ts";

/** Opening connections takes this long at most, and longer the more there are. */
const CONNECT_MS = { base: 10_000, each: 2 };
/** Enough to fill the server's batches. */
const FILLING_CONNECTIONS = 256;

export interface LoadResult {
  options: CheckedOptions;
  machine: { cores: number; kernel: string; bun: string };
  startedAt: string;
  steps: StepResult[];
  /** Of all steps. */
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

/** One second of a step, its warm-up included; latencies are of calls that are measured. */
interface SecondFigures {
  /** When it ended, from the step's beginning. */
  atSeconds: number;
  callsPerSecond: number;
  connections: number;
  p50Ms: number | null;
  p99Ms: number | null;
}

export interface LoadHooks {
  signal?: AbortSignal;
  /** Wraps each stage, to show its progress; the stage tells `report` how far it is. */
  step?: Step;
  /** Waits, between the fill and the measurement, until what the fill has left behind is done. */
  idle?: () => Promise<void>;
}

type Step = <T>(title: string, work: (report: (detail: string) => void) => Promise<T>) => Promise<T>;

/** Throws a Problem when the options are wrong or the server can't be reached. */
export async function runLoad(given: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> {
  const options = checkOptions(given);
  const { signal = new AbortController().signal, step = (_, work) => work(() => {}), idle } = hooks;
  const { url: urls, clients, keys, fill, ...others } = options;
  await Promise.all(urls.map(reach));
  const run = randomBytes(RUN_CHARACTERS / 2).toString("hex");
  const most = Math.max(...clients);
  const generator = new Generator(callsOf({ run, keys, ...others }), connectionOptions(urls, most));
  const steps: StepResult[] = [];
  const startedAt = new Date().toISOString();
  try {
    if (fill) {
      await connect(generator, FILLING_CONNECTIONS, signal, () => {});
      await step("write all keys", (report) => generator.fill((written) => report(count(written)), signal));
    }
    await idle?.();
    for (const each of clients) {
      if (signal.aborted) break;
      await step(`${count(each)} client${each === 1 ? "" : "s"}`, async (report) => {
        await connect(generator, each, signal, (open) => report(`${count(open)} connected`));
        steps.push(await measure(generator, each, options, signal, report));
      });
    }
  } finally {
    generator.close();
  }
  return {
    options,
    machine: { cores: availableParallelism(), kernel: release(), bun: Bun.version },
    startedAt,
    steps,
    violations: steps.reduce((all, { violations }) => all + sum(violations), 0),
    examples: generator.examples,
    interrupted: signal.aborted,
  };
}

async function reach(url: string) {
  try {
    await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(5000) });
  } catch {
    throw new Problem(`No server answers at ${url}: start one, or name another with --url.`);
  }
}

/** Opens connections, or closes some, and goes on with those there are once it has taken too long. */
async function connect(
  { connections }: Generator,
  wanted: number,
  signal: AbortSignal,
  report: (open: number) => void,
) {
  connections.resize(wanted);
  const deadline = performance.now() + CONNECT_MS.base + CONNECT_MS.each * wanted;
  while (connections.open < wanted && performance.now() < deadline && !signal.aborted) {
    report(connections.open);
    await sleep(10);
  }
  if (connections.open === 0 && !signal.aborted) throw new Problem("The server takes no connections.");
}

async function measure(
  generator: Generator,
  clients: number,
  { warmup, seconds, rate }: CheckedOptions,
  signal: AbortSignal,
  report: (detail: string) => void,
): Promise<StepResult> {
  const total = new Tally();
  const series: SecondFigures[] = [];
  const [cpu, answers] = [process.cpuUsage(), generator.answers];
  const period = { warmupMs: warmup * 1000, measuredMs: seconds * 1000, rate };
  const onSecond = (atMs?: number) => {
    total.add(generator.tally);
    if (atMs === undefined) return;
    series.push(figuresOf(generator, atMs / 1000, series.at(-1)?.atSeconds ?? 0));
    report(progressLine(series.at(-1) as SecondFigures, total));
  };
  const measuredSeconds = (await generator.measure(period, onSecond, signal)) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const figures = (kind: "reads" | "writes"): CallFigures => {
    const answers = generator.measured[kind];
    const perSecond = measuredSeconds > 0 ? answers / measuredSeconds : 0;
    return { count: answers, perSecond, latencyMs: latencies(total[kind]) };
  };
  const { absent, conflicts, refused, errors, violations, notStarted } = total.counts;
  return {
    clients,
    connections: series.at(-1)?.connections ?? 0,
    measuredSeconds,
    reads: figures("reads"),
    writes: figures("writes"),
    ...{ absent, conflicts, refused, errors, violations, notStarted },
    generatorMicrosecondsPerCall: (user + system) / Math.max(1, generator.answers - answers),
    seconds: series,
  };
}

function progressLine({ callsPerSecond, p99Ms, connections }: SecondFigures, { counts }: Tally): string {
  return [
    `${count(callsPerSecond)} calls/s`,
    ...(p99Ms === null ? [] : [`p99 ${figure(p99Ms)} ms`]),
    ...(sum(counts.refused) > 0 ? [`${count(sum(counts.refused))} refused`] : []),
    `${count(sum(counts.errors))} errors`,
    `${sum(counts.violations)} violations`,
    `${count(connections)} connections`,
  ].join(", ");
}

function figuresOf({ tally, connections }: Generator, atSeconds: number, beforeSeconds: number): SecondFigures {
  const { counts, reads, writes } = tally;
  const both = newHistogram();
  both.add(reads);
  both.add(writes);
  const latency = latencies(both);
  return {
    atSeconds,
    callsPerSecond: (counts.reads + counts.writes) / Math.max(atSeconds - beforeSeconds, 0.001),
    connections: connections.open,
    p50Ms: latency?.p50 ?? null,
    p99Ms: latency?.p99 ?? null,
  };
}

function latencies(histogram: Histogram): CallFigures["latencyMs"] {
  if (histogram.totalCount === 0) return null;
  const at = (percentile: number) => percentileMs(histogram, percentile);
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 };
}

/** A whole number with commas. */
export function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}
