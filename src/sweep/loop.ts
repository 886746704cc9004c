// The sweep's loop: steps and the pauses between them, on Bun for as long as a lease is held, on Workers for some seconds.
//
// While others make calls, each step is followed by a pause in proportion to the time that the step took. So a shard that
// is slow, because others keep it busy, is by that alone asked less often.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import { type SweepStep, sweepStep } from "./step.ts";

interface Pace {
  /** Of a step, which is a burst of work on the primary and its replicas: calls that come meanwhile wait for it. */
  rows: number;
  /** Of the time, for the sweep. */
  share: number;
}

const FASTEST: Pace = { rows: 256, share: 1 };
/** Beside calls: rows are to go within a minute, and the nearer that is, the faster they do. */
const STEADY = { slowest: { rows: 64, share: 1 / 4 }, fastestAtMs: 60_000 };
/**
 * Of rows that expired at once, callers are not to feel that they go, as long as it may take. But giving way for ever would
 * fill the disks.
 */
const AT_ONCE = { slowest: { rows: 32, share: 1 / 8 }, fastestAtMs: 3_600_000 };
/** No shard keeps up with so many beside calls. How long steps take does not tell that: a Worker may be far away. */
const TOO_MANY_A_SECOND = 5_000;
const STEP_MS = 3_000;
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
  let rows = STEADY.slowest.rows;
  while (!over.aborted) {
    const begun = performance.now();
    if (!last || begun - passBegun > PASS_MS) {
      last = null;
      passBegun = begun;
    }
    const step: SweepStep = await sweepStep(expired, { rows, ms: STEP_MS }, last);
    last = step.last;
    if (!(await onStep(step))) return;
    const isQuiet = calls() === callsBefore;
    callsBefore = calls();
    const pace = isQuiet ? FASTEST : paceBeside(step);
    rows = pace.rows;
    await pause(last ? pauseMs(performance.now() - begun, pace.share) : IDLE_MS, over);
  }
}

/** After a step, where there is more to do. */
export function pauseMs(tookMs: number, share: number): number {
  return Math.min(tookMs * (1 / share - 1), LONGEST_PAUSE_MS);
}

/** Beside calls, after a step. Rows have to be very late before callers feel it much. */
export function paceBeside({ seen, spanMs, oldestAgeMs }: Pick<SweepStep, "seen" | "spanMs" | "oldestAgeMs">): Pace {
  const { slowest, fastestAtMs } = 1_000 * seen > TOO_MANY_A_SECOND * spanMs ? AT_ONCE : STEADY;
  const way = Math.min(1, oldestAgeMs / fastestAtMs) ** 2;
  return {
    rows: Math.ceil(slowest.rows + (FASTEST.rows - slowest.rows) * way),
    share: slowest.share + (FASTEST.share - slowest.share) * way,
  };
}

/** Shorter when it is over; it keeps no process alive. */
export async function pause(ms: number, over: AbortSignal) {
  await sleep(ms, undefined, { signal: over, ref: false }).catch(() => {});
}
