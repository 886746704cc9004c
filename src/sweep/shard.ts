// The sweep of one shard by one of several servers: each waits until no other sweeps the shard, then does so for a while.

import type { Logger } from "pino";
import { StoreError } from "../store/error.ts";
import { Lease } from "./lease.ts";
import { pause, sweep } from "./loop.ts";
import type { Shard } from "./shards.ts";

/** A holder that dies is replaced within two of these: its lease expires, and one of those waiting tries again. */
const LEASE_MS = 10_000;
/** Renewed between steps, each of which, with its pause and the renewal itself, is over before the lease is. */
const RENEW_AT_MS = (2 / 3) * LEASE_MS;
/** After about so long a holder steps back when there is nothing to do, so that servers share the shards. */
const TERM_MS = 300_000;
const FAILED_MS = 1_000;

export interface ShardSweepOptions extends Shard {
  /** See `SweepOptions`. */
  calls: () => number;
  /** A name for this server. */
  holder: string;
  log: Logger;
}

/** Sweeps the shard whenever nobody else does, until it is over; then gives the lease back. */
export async function sweepShard(options: ShardSweepOptions, over: AbortSignal) {
  const { store, leaseKey, holder, log } = options;
  const lease = new Lease(store, leaseKey, { holder, ttlMs: LEASE_MS });
  let lastFailure = "";
  while (!over.aborted) {
    try {
      const took = await lease.take();
      if (took) await sweepForATerm(options, lease, over).finally(() => lease.release());
      lastFailure = "";
      // After a term for longer than others wait, so that it is another's turn.
      await pause(LEASE_MS * (took ? 1.5 : 0.5) * (1 + Math.random() / 3), over);
    } catch (error) {
      // A shard that takes no writes, or none of its tables, fails in the same way each second.
      if (String(error) !== lastFailure) warn(log, error);
      lastFailure = String(error);
      await pause(FAILED_MS * (0.5 + Math.random()), over);
    }
  }
}

async function sweepForATerm({ expired, calls }: ShardSweepOptions, lease: Lease, over: AbortSignal) {
  const until = performance.now() + TERM_MS * (0.5 + Math.random());
  await sweep(expired, {
    ...{ over, calls },
    onStep: async ({ last }) => {
      if (lease.remainingMs < RENEW_AT_MS && !(await lease.renew())) return false;
      return last !== null || performance.now() < until;
    },
  });
}

function warn(log: Logger, error: unknown) {
  // No other error is one of the database's; its text could quote anything.
  if (error instanceof StoreError) log.warn({ code: error.code, reason: error.reason }, "sweeping failed");
  else log.error({ name: (error as Error).name }, "sweeping failed");
}
