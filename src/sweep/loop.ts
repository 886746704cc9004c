// The sweep's loop: steps and the pauses between them, on Bun for as long as a lease is held, on Workers for some seconds.
//
// While others make calls, each step is followed by a pause in proportion to the time that the step took. So a shard that
// is slow, because others keep it busy, is by that alone asked less often. The longer ago the oldest row expired, the
// larger are the steps, which then cost less a row, and the shorter the pauses: giving way for ever would fill the disks.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import { type SweepStep, sweepStep } from "./step.ts";

/**
 * A step is a burst of work on the primary and its replicas, which calls that come meanwhile wait for: so it is small, but
 * for when nobody waits, or when rows stay longer than is promised.
 */
const ROWS = { least: 64, most: 256, mostAtMs: 60_000 };
const STEP_MS = 3_000;
/** Of the time, for the sweep, while others make calls. */
const SHARE = { least: 1 / 2, most: 1, mostAtMs: 600_000 };
const LONGEST_PAUSE_MS = 2_000;
/** When all is reclaimed. */
const IDLE_MS = 2_000;
/** A pass begins at the oldest row again after so long: some may have been written since that had already expired. */
const PASS_MS = 30_000;

export interface SweepOptions {
  /** Ends the loop after the step under way. */
  over: AbortSignal;
  /** How many calls others have made so far: none since the last step lets the sweep go on without a pause. */
  calls: () => number;
  /** Told of each step before the pause; the loop ends where it returns false. */
  onStep: (step: SweepStep) => boolean | Promise<boolean>;
}

/** Reclaims what expires until it is told to end. Throws `StoreError`; it may then be begun again. */
export async function sweep(expired: ExpiredRows, { over, calls, onStep }: SweepOptions) {
  let last: ExpiredKey | null = null;
  let passBegun = 0;
  let callsBefore = calls();
  let isQuiet = false;
  let oldestAgeMs = 0;
  while (!over.aborted) {
    const begun = performance.now();
    if (!last || begun - passBegun > PASS_MS) {
      last = null;
      passBegun = begun;
    }
    const rows = isQuiet ? ROWS.most : Math.floor(byAge(ROWS, oldestAgeMs));
    const step: SweepStep = await sweepStep(expired, { rows, ms: STEP_MS }, last);
    ({ last, oldestAgeMs } = step);
    if (!(await onStep(step))) return;
    isQuiet = calls() === callsBefore;
    callsBefore = calls();
    await pause(last ? pauseMs(performance.now() - begun, oldestAgeMs, isQuiet) : IDLE_MS, over);
  }
}

/** How long to pause after a step, where there is more to do. */
export function pauseMs(tookMs: number, oldestAgeMs: number, isQuiet: boolean): number {
  if (isQuiet) return 0;
  return Math.min(tookMs * (1 / byAge(SHARE, oldestAgeMs) - 1), LONGEST_PAUSE_MS);
}

/** Grows with the age of the oldest row. */
function byAge({ least, most, mostAtMs }: typeof ROWS, oldestAgeMs: number): number {
  return Math.min(most, least + (most - least) * (oldestAgeMs / mostAtMs));
}

/** Shorter when it is over; it keeps no process alive. */
export async function pause(ms: number, over: AbortSignal) {
  await sleep(ms, undefined, { signal: over, ref: false }).catch(() => {});
}
