// The last hour, in a ring of bounded size: what lies between readings of the counters ten seconds apart.

import type { Point } from "./document.ts";
import { between, type Totals } from "./numbers.ts";

export const STEP_MS = 10_000;
const POINTS = 360;

/** A reading, and when it was made: by performance.now(), and in epoch milliseconds for people. */
export interface Reading {
  at: number;
  time: number;
  totals: Totals;
}

export class History {
  private readonly points: Point[] = [];
  private last: Reading | undefined;

  add(reading: Reading) {
    if (this.last) {
      const seconds = (reading.at - this.last.at) / 1000;
      this.points.push({ time: reading.time, ...between(this.last.totals, reading.totals, seconds) });
      if (this.points.length > POINTS) this.points.shift();
    }
    this.last = reading;
  }

  /** The oldest first. */
  all(): readonly Point[] {
    return this.points;
  }
}
