// The sweep where nothing runs for long, as on Workers: all shards together for a while, and again a minute later.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import type { Store } from "../store/store.ts";
import { Lease, leaseKey } from "./lease.ts";
import { Pace } from "./pace.ts";
import { sweepStep } from "./step.ts";

/** Of a minute, so that one is over before the next begins. */
const SWEEP_MS = 20_000;
/** For both statements of a step. */
const STEP_MS = 3_000;
const STEPS = 1_000;
/** Longer than a sweep lasts, and over when the next one begins, should this one be cut off. */
const LEASE_MS = 30_000;
/** What others suffer is not known here; a step that is slow is followed by a pause that is long, all the same. */
const NO_PRESSURE = { lagSeconds: 0, slowdown: 1 };

export interface Swept {
  steps: number;
  /** Rows. */
  deleted: number;
  /** Whether there was more to do when the time was over. */
  more: boolean;
}

/** Reclaims what has expired, unless another does so by cron: null. Throws `StoreError`. */
export async function sweepForAWhile(store: Store, expired: ExpiredRows): Promise<Swept | null> {
  const lease = new Lease(store, leaseKey("sweep"), LEASE_MS);
  if (!(await lease.take(""))) return null;
  try {
    return await sweep(expired, performance.now() + SWEEP_MS);
  } finally {
    // It expires by itself.
    await lease.release().catch(() => {});
  }
}

async function sweep(expired: ExpiredRows, end: number): Promise<Swept> {
  const pace = new Pace();
  const swept = { steps: 0, deleted: 0, more: true };
  let last: ExpiredKey | null = null;
  while (swept.steps < STEPS) {
    const begun = performance.now();
    const step = await sweepStep(expired, { rows: pace.rows, ms: STEP_MS }, last);
    const pauseMs = pace.pauseAfter(step, performance.now() - begun, 0, () => NO_PRESSURE);
    last = step.last;
    swept.steps += 1;
    swept.deleted += step.deleted;
    swept.more = last !== null;
    if (!last || performance.now() + pauseMs >= end) break;
    await sleep(pauseMs);
  }
  return swept;
}
