// How fast a shard is swept: how many rows at a time, and how long a pause after them.
//
// A step is followed by a pause in proportion to the time it took, so that a shard which is slow, because others keep
// it busy, is by that alone asked less often. How large a share of the time the sweep may take grows slowly while there
// is more to do and halves when calls or replicas suffer, as TCP does with what it may send.

import type { SweepStep } from "./sweep.ts";

/** Rows of a step: the more, the cheaper is each, and the longer do those who write to one of them wait. */
const ROWS = { least: 50, most: 500 };
/** Of the time, for the sweep. The least keeps it going under any load, and grows with the age of what is left. */
const SHARE = { least: 1 / 16, first: 1 / 4, most: 1 / 2, more: 1 / 32 };
/** As late as this, the least is the most: giving way for ever would fill the disks. */
const TOO_LATE_MS = 600_000;
/** The share is changed this often at most, for the effect takes time to show. */
const ADJUST_MS = 1_000;
/** Between two passes: twice as long after each that found nothing. */
const IDLE_MS = { least: 500, most: 4_000 };

/** Replicas that are behind by this many seconds are given time; the status counts in whole ones. */
const LAG_SECONDS = 2;
/** Others' statements that take so many times as long during steps are a reason to give way. */
const SLOWDOWN = 1.25;

/** What others on a shard suffer. */
export interface Pressure {
  /** Seconds that the furthest replica is behind. */
  lagSeconds: number;
  /** How many times as long others' statements take because of the sweep. */
  slowdown: number;
}

export class Pace {
  /** For the next step. */
  rows = ROWS.least;
  /** Of the time, while there is more to do. */
  share = SHARE.first;
  /** Time since it was changed. */
  private sinceMs = ADJUST_MS;
  private idleMs = IDLE_MS.least;

  /** Takes note of a step and returns how many milliseconds to pause after it. `pressure` is asked in a backlog. */
  pauseAfter(step: SweepStep, tookMs: number, pressure: () => Pressure): number {
    this.rows = Math.min(Math.max(ROWS.least, 2 * step.seen), ROWS.most);
    if (!step.last) {
      this.idleMs = step.seen > 0 ? IDLE_MS.least : Math.min(2 * this.idleMs, IDLE_MS.most);
      return this.idleMs * (0.75 + Math.random() / 2);
    }
    this.idleMs = IDLE_MS.least;
    if (this.sinceMs >= ADJUST_MS) this.adjust(step, pressure());
    const pauseMs = tookMs * (1 / this.share - 1);
    this.sinceMs += tookMs + pauseMs;
    return pauseMs;
  }

  private adjust({ oldestAgeMs }: SweepStep, { lagSeconds, slowdown }: Pressure) {
    this.sinceMs = 0;
    const suffers = lagSeconds >= LAG_SECONDS || slowdown > SLOWDOWN;
    const least = Math.min(Math.max(SHARE.least, (SHARE.most * oldestAgeMs) / TOO_LATE_MS), SHARE.most);
    this.share = suffers ? Math.max(least, this.share / 2) : Math.min(this.share + SHARE.more, SHARE.most);
  }
}
