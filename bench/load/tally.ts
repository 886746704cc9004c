// Counts and latencies of a span of time, which add up over seconds.

import { type Histogram, Int32Histogram } from "hdr-histogram-js";
import type { Violation } from "./checker.ts";

/** Longer than a call can take: the server's own deadline is 10 s by default, and ours is half a minute. */
const MOST_US = 600_000_000;
const DIGITS = 3;

export interface Counts {
  /** Answered, and not with an error. */
  reads: number;
  writes: number;
  /** Reads and writes among them that found no such key. */
  absent: number;
  /** Those whose condition did not hold, where a workload takes that for an answer. */
  conflicts: number;
  /** By the code of a 503. */
  refused: Record<string, number>;
  /** Other errors by status and code, and broken connections by reason. */
  errors: Record<string, number>;
  violations: Record<Violation, number>;
  /** Calls of a fixed rate that could not even begin. */
  notStarted: number;
}

export class Tally {
  counts = noCounts();
  /** In microseconds. */
  readonly reads = newHistogram();
  readonly writes = newHistogram();

  add({ counts, reads, writes }: Tally) {
    for (const name of ["reads", "writes", "absent", "conflicts", "notStarted"] as const)
      this.counts[name] += counts[name];
    for (const group of ["refused", "errors", "violations"] as const) {
      for (const [name, count] of Object.entries(counts[group])) increment(this.counts[group], name, count);
    }
    this.reads.add(reads);
    this.writes.add(writes);
  }

  reset() {
    this.counts = noCounts();
    this.reads.reset();
    this.writes.reset();
  }
}

/** Of microseconds. */
export function newHistogram(): Histogram {
  return new Int32Histogram(1, MOST_US, DIGITS);
}

export function record(histogram: Histogram, latencyMs: number) {
  histogram.recordValue(Math.min(Math.round(latencyMs * 1000), MOST_US));
}

/** In milliseconds; not a number where nothing was recorded. */
export function percentileMs(histogram: Histogram, percentile: number): number {
  return histogram.totalCount === 0 ? Number.NaN : histogram.getValueAtPercentile(percentile) / 1000;
}

export function increment(counts: Record<string, number>, name: string, by = 1) {
  counts[name] = (counts[name] ?? 0) + by;
}

export function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function noCounts(): Counts {
  return {
    reads: 0,
    writes: 0,
    absent: 0,
    conflicts: 0,
    refused: {},
    errors: {},
    violations: { wrong: 0, stale: 0, lost: 0, expired: 0, shared: 0 },
    notStarted: 0,
  };
}
