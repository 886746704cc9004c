// What is asked: how often each kind of call is made, and of which keys.

import { uniform } from "../random.ts";
import type { Operation } from "./checker.ts";
import type { Keys } from "./keys.ts";

/** Shares of calls, which add up to 1. What is left of all is a plain PUT. */
interface Mix {
  reads: number;
  /** PUTs with a TTL. */
  expiring?: number;
  /** TTLs set, and removed. */
  expires?: number;
  persists?: number;
  deletes?: number;
  /** One key for everything. */
  hot?: true;
}

/** The letters are YCSB's workloads. */
const MIXES = {
  a: { reads: 0.5 },
  b: { reads: 0.95 },
  c: { reads: 1 },
  write: { reads: 0 },
  churn: { reads: 0, deletes: 0.5 },
  expiring: { reads: 0, expiring: 1 },
  ttl: { reads: 0.5, expiring: 0.4, expires: 0.03, persists: 0.02, deletes: 0.05 },
  hot: { reads: 0.5, hot: true },
} satisfies Record<string, Mix>;

export type MixName = keyof typeof MIXES;
export const MIX_NAMES = Object.keys(MIXES) as MixName[];

/** Whether everything is on one key. */
export function isHot(name: MixName): boolean {
  return "hot" in MIXES[name];
}

/** Short, so that many expire while the load runs. */
export const TTLS_MS = [200, 500, 1000, 2000, 5000];

export class Workload {
  private readonly bounds: { reads: number; expiring: number; expires: number; persists: number; deletes: number };

  constructor(
    name: MixName,
    readonly keys: Keys,
  ) {
    const mix: Mix = MIXES[name];
    let sum = mix.reads;
    const upTo = (part = 0) => {
      sum += part;
      return sum;
    };
    this.bounds = {
      reads: sum,
      expiring: upTo(mix.expiring),
      expires: upTo(mix.expires),
      persists: upTo(mix.persists),
      deletes: upTo(mix.deletes),
    };
  }

  /** Makes it the next call. */
  choose(op: Operation) {
    const { bounds } = this;
    const at = Math.random();
    op.key = this.keys.choose();
    op.ttlMs = 0;
    if (at < bounds.reads) op.kind = "read";
    else if (at < bounds.expires) {
      op.kind = at < bounds.expiring ? "put" : "expire";
      op.ttlMs = TTLS_MS[uniform(TTLS_MS.length)] as number;
    } else if (at < bounds.deletes) op.kind = at < bounds.persists ? "persist" : "delete";
    else op.kind = "put";
  }
}
