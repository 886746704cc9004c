// Drives calls against a server, by the load simulator's generator in this process.

import { setTimeout as sleep } from "node:timers/promises";
import type { Histogram } from "hdr-histogram-js";
import type { Calls } from "../load/calls.ts";
import { connectionOptions } from "../load/connections.ts";
import { CODE_OF_HEAD, Generator } from "../load/generator.ts";
import { sum, Tally } from "../load/tally.ts";

/** Enough to fill the server's batches. */
const FILLING_CONNECTIONS = 256;
const CONNECT_MS = 30_000;

export interface DriveOptions {
  url: string;
  calls: Calls;
  connections: number;
  /** Both may be fractions. */
  seconds: number;
  warmupSeconds: number;
  /** Calls in a second whatever becomes of them; without it each connection makes its calls one after the other. */
  rate?: number;
  /** Waits until what the fill has left behind is done. */
  idle?: () => Promise<void>;
}

export interface Figures {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export interface Driven {
  /** Of right answers in the measured time. */
  reads: Figures;
  writes: Figures;
  all: Figures;
  measuredSeconds: number;
  /** Of all calls, those of the warm-up too. */
  right: number;
  /** Because there was no room; of a HEAD that is taken for the reason, because its answer can't tell. */
  turnedAway: number;
  /** Wrong answers, those that were errors, and calls without an answer; and what they were. */
  wrong: number;
  wrongs: Record<string, number>;
  notStarted: number;
  /** CPU of the generator for each call. */
  generatorMicroseconds: number;
}

/** Fills, warms up, measures. */
export async function drive(options: DriveOptions, signal: AbortSignal): Promise<Driven> {
  const { url, calls, connections, seconds, warmupSeconds, rate, idle } = options;
  const generator = new Generator(calls, connectionOptions([url], Math.max(connections, FILLING_CONNECTIONS)));
  try {
    if (calls.keys > 0) {
      await connect(generator, FILLING_CONNECTIONS, signal);
      await generator.fill(() => {}, signal);
    }
    await connect(generator, connections, signal);
    await idle?.();
    const total = new Tally();
    const [cpu, answers] = [process.cpuUsage(), generator.answers];
    const period = { warmupMs: warmupSeconds * 1000, measuredMs: seconds * 1000, rate };
    const measuredMs = await generator.measure(period, () => total.add(generator.tally), signal);
    const { user, system } = process.cpuUsage(cpu);
    signal.throwIfAborted();
    if (measuredMs === 0) throw new Error(`the ${calls.keys} keys were used up before the measurement began`);
    const { measured } = generator;
    const { counts, reads, writes } = total;
    const both = new Tally().reads;
    both.add(reads);
    both.add(writes);
    const figures = (count: number, histogram: Histogram) => figuresOf((count * 1000) / measuredMs, histogram);
    const { overloaded = 0, [CODE_OF_HEAD]: heads = 0, ...refused } = counts.refused;
    const violations = Object.entries(counts.violations).filter(([, count]) => count > 0);
    const wrongs = { ...counts.errors, ...refused, ...Object.fromEntries(violations) };
    return {
      reads: figures(measured.reads, reads),
      writes: figures(measured.writes, writes),
      all: figures(measured.reads + measured.writes, both),
      measuredSeconds: measuredMs / 1000,
      right: counts.reads + counts.writes - sum(counts.violations),
      turnedAway: overloaded + heads,
      wrong: sum(wrongs),
      wrongs,
      notStarted: counts.notStarted,
      generatorMicroseconds: (user + system) / Math.max(1, generator.answers - answers),
    };
  } finally {
    generator.close();
  }
}

async function connect({ connections }: Generator, count: number, signal: AbortSignal) {
  connections.resize(count);
  const deadline = performance.now() + CONNECT_MS;
  while (connections.open < count) {
    if (performance.now() > deadline) throw new Error(`of ${count} connections only ${connections.open} were made`);
    await sleep(10, undefined, { signal });
  }
}

function figuresOf(perSecond: number, histogram: Histogram): Figures {
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  if (histogram.totalCount === 0) return { perSecond, p50Ms: Number.NaN, p99Ms: Number.NaN, maxMs: Number.NaN };
  return { perSecond, p50Ms: at(50), p99Ms: at(99), maxMs: histogram.maxValue / 1000 };
}
