// How hard a shard is swept: how many rows at a time, and how long a pause after them.
//
// A step is followed by a pause in proportion to the time it took, so that a shard which is slow, because others keep
// it busy, is by that alone asked less often. How much the sweep may take grows slowly while there is more to do and
// halves when calls or replicas suffer, as TCP does with what it may send. Many rows at a time are cheaper and few are
// gentler: a step is a burst of work on the primary and its replicas at once, which calls that come meanwhile wait for.

import type { SweepStep } from "./step.ts";

/** By effort, from none to all: rows of a step, and the share of the time for the sweep. The least never stops. */
const ROWS = { least: 100, most: 1_000 };
const SHARE = { least: 1 / 16, most: 3 / 4 };
const EFFORT = { first: 1 / 16, more: 1 / 16 };
/** It is changed this often at most, for the effect takes time to show. */
const ADJUST_MS = 1_000;
/** However long a step took. */
const PAUSE_MS = 5_000;
const FAILED_MS = 1_000;
/** As late as this, the effort is whole whoever suffers: giving way for ever would fill the disks. */
const TOO_LATE_MS = 600_000;
/** Between two passes: twice as long after each that found nothing. */
const IDLE_MS = { least: 500, most: 4_000 };

/** Replicas that are behind by this many seconds are given time; the status counts in whole ones. */
const LAG_SECONDS = 2;
/** Others' statements that take so many times as long during steps are a reason to give way. */
const SLOWDOWN = 1.2;

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
  private effort = EFFORT.first;
  /** Time since it was changed. */
  private sinceMs = ADJUST_MS;
  private idleMs = IDLE_MS.least;

  /** Of the time, while there is more to do. */
  get share(): number {
    return between(SHARE, this.effort);
  }

  /**
   * Takes note of a step and returns how many milliseconds to pause after it. `latenessMs` is how late the oldest row is
   * that is left. `pressure` is asked in a backlog.
   */
  pauseAfter(step: SweepStep, tookMs: number, latenessMs: number, pressure: () => Pressure): number {
    if (!step.last) {
      this.rows = ROWS.least;
      this.idleMs = step.seen > 0 ? IDLE_MS.least : Math.min(2 * this.idleMs, IDLE_MS.most);
      return this.idleMs * (0.75 + Math.random() / 2);
    }
    this.idleMs = IDLE_MS.least;
    if (this.sinceMs >= ADJUST_MS) this.adjust(latenessMs, pressure());
    this.rows = Math.min(2 * this.rows, Math.round(between(ROWS, this.effort)));
    const pauseMs = this.pauseInProportion(tookMs);
    this.sinceMs += tookMs + pauseMs;
    return pauseMs;
  }

  /** The same after a step that failed: the next one is to be smaller. */
  pauseAfterFailure(tookMs: number): number {
    this.rows = ROWS.least;
    this.effort /= 2;
    return Math.max(this.pauseInProportion(tookMs), FAILED_MS) * (0.75 + Math.random() / 2);
  }

  private pauseInProportion(tookMs: number): number {
    return Math.min(tookMs * (1 / this.share - 1), PAUSE_MS);
  }

  private adjust(latenessMs: number, { lagSeconds, slowdown }: Pressure) {
    this.sinceMs = 0;
    const suffers = lagSeconds >= LAG_SECONDS || slowdown > SLOWDOWN;
    const wanted = suffers ? this.effort / 2 : this.effort + EFFORT.more;
    this.effort = Math.min(Math.max(wanted, latenessMs / TOO_LATE_MS), 1);
  }
}

function between({ least, most }: { least: number; most: number }, effort: number): number {
  return least + effort * (most - least);
}
