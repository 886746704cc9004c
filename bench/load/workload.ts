// What is asked: how often each kind of call is made, and of which keys.

import type { Operation } from "./checker.ts";
import { scrambledZipfian, uniform } from "./zipfian.ts";

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
  expiring: { reads: 0, expiring: 1 },
  ttl: { reads: 0.5, expiring: 0.4, expires: 0.03, persists: 0.02, deletes: 0.05 },
  hot: { reads: 0.5, hot: true },
} satisfies Record<string, Mix>;

export type WorkloadName = keyof typeof MIXES;
export const WORKLOADS = Object.keys(MIXES) as WorkloadName[];

export const DISTRIBUTIONS = ["uniform", "zipfian"] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Short, so that many expire while the load runs. */
export const TTLS_MS = [200, 500, 1000, 2000, 5000];

export interface Share {
  /** Of the keys: those with this remainder when divided by the number of processes. */
  process: number;
  processes: number;
}

export class Workload {
  private readonly bounds: { reads: number; expiring: number; expires: number; persists: number; deletes: number };
  /** Keys of this process, which numbers them from 0. */
  readonly keys: number;

  constructor(
    name: WorkloadName,
    private readonly distribution: Distribution,
    private readonly allKeys: number,
    private readonly share: Share,
    /** In place of the workload's own share; the others keep their proportion. */
    reads?: number,
  ) {
    const mix: Mix = MIXES[name];
    this.keys = mix.hot ? 1 : Math.ceil((allKeys - share.process) / share.processes);
    const scale = reads === undefined || mix.reads === 1 ? 1 : (1 - reads) / (1 - mix.reads);
    let sum = reads ?? mix.reads;
    const upTo = (part = 0) => {
      sum += part * scale;
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
    op.key = this.chooseKey();
    op.ttlMs = 0;
    if (at < bounds.reads) op.kind = "read";
    else if (at < bounds.expires) {
      op.kind = at < bounds.expiring ? "put" : "expire";
      op.ttlMs = TTLS_MS[uniform(TTLS_MS.length)] as number;
    } else if (at < bounds.deletes) op.kind = at < bounds.persists ? "persist" : "delete";
    else op.kind = "put";
  }

  /** What a key of this process is called among all. */
  globalKey(key: number): number {
    return key * this.share.processes + this.share.process;
  }

  private chooseKey(): number {
    const { process, processes } = this.share;
    if (this.keys === 1 || this.distribution === "uniform") return uniform(this.keys);
    // Others' keys are drawn again, so that together all processes draw as one would.
    for (;;) {
      const key = scrambledZipfian(this.allKeys);
      if (key % processes === process) return (key - process) / processes;
    }
  }
}
