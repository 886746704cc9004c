// The sweep where nothing runs for long, as on Workers: all shards together for some seconds, and again a minute later.

import type { ExpiredRows } from "../database/expired.ts";
import { leaseKey, type Store } from "../store/store.ts";
import { Lease } from "./lease.ts";
import { sweep } from "./loop.ts";

/** Of a minute, so that one sweep is over before the next begins. */
const SWEEP_MS = 20_000;
/** An invocation makes a limited number of subrequests. */
const STEPS = 1_000;
/** Longer than a sweep lasts, and over when the next one begins, should this one be cut off. */
const LEASE_MS = 30_000;

export interface Swept {
  steps: number;
  /** Rows. */
  deleted: number;
  /** Whether there was more to do when the time was over. */
  more: boolean;
}

/** Reclaims what has expired, unless another does so by cron: null. Throws `StoreError`. */
export async function sweepForAWhile(store: Store, expired: ExpiredRows): Promise<Swept | null> {
  const lease = new Lease(store, leaseKey("sweep"), { holder: "cron", ttlMs: LEASE_MS });
  if (!(await lease.take())) return null;
  const swept = { steps: 0, deleted: 0, more: true };
  try {
    await sweep(expired, {
      over: AbortSignal.timeout(SWEEP_MS),
      // What others do is not known here, so there are always some.
      calls: () => swept.steps,
      onStep: ({ deleted, last }) => {
        swept.steps += 1;
        swept.deleted += deleted;
        swept.more = last !== null;
        return swept.more && swept.steps < STEPS;
      },
    });
    return swept;
  } finally {
    await lease.release();
  }
}
