// What clients did and were told: one record for each call, as the checker reads it.

import { writeFileSync } from "node:fs";
import type { ExpireCondition } from "../../src/store/store.ts";

/**
 * A `release` is a delete of one version; an `expire` may have a condition on the expiry that is there; a `peek` is a get
 * that asks for no more than what a replica has.
 */
type Operation =
  | ("get" | "head" | "ttl" | "peek")
  | ("put" | "create" | "cas" | "delete" | "release")
  | ("expire" | "persist" | "increment");

/** What a client asks for. */
export interface Asked {
  op: Operation;
  key: string;
  /** That a write sets; no two writes set the same one. */
  value?: string;
  /** What an increment adds. */
  by?: number;
  /** The entity tag that a compare-and-swap or a release asks for. */
  ifMatch?: string;
  /** What an `expire` asks for. */
  if?: ExpireCondition["if"];
  /** From now, of a write or an `expire`. */
  ttlMs?: number;
  keepTtl?: boolean;
}

/** What became of it. */
export interface Outcome {
  /** An answer; surely nothing changed; or nobody knows, and it may yet. */
  outcome: "ok" | "not_applied" | "unknown";
  /** Of an answer: whether the entry was found, or the condition held. */
  held: boolean;
  got: {
    /** Of an increment what the counter is now. */
    value?: string;
    etag?: string;
    /** Epoch milliseconds; absent where it never expires. */
    expiresAt?: number;
    /** That the condition of an `expire` did not hold, though the entry was there. */
    refused?: true;
  };
  /** Why there is no answer. */
  code?: string;
}

export interface Call extends Asked, Outcome {
  /** One call, or one batch, after the other; a new number after one whose outcome is unknown. */
  client: number;
  /** When it began and ended: microseconds by the monotonic clock of this process. */
  invoke: number;
  return: number;
  /** Wall clock minus that one, in microseconds: the database gives expiries by the wall clock. */
  clockOffset: number;
  shard: string;
}

/** What changes nothing, whatever becomes of it. */
export const READS: ReadonlySet<Operation> = new Set(["get", "head", "ttl", "peek"]);

/** Microseconds by the monotonic clock. */
export function nowUs(): number {
  return Math.round(performance.now() * 1000);
}

/** Between the readings of two clocks that are to be compared, on a machine that is busy with other things. */
const READING_US = 500;
const READINGS = 1_000;

/** Wall clock minus monotonic clock, which is only right where nothing has come in between. */
export function clockOffsetUs(): number {
  let offset = 0;
  for (let i = 0; i < READINGS; i++) {
    const before = nowUs();
    offset = Date.now() * 1000 - before;
    if (nowUs() - before < READING_US) break;
  }
  return offset;
}

/** One record a line. */
export function writeHistory(file: string, calls: Call[]) {
  writeFileSync(file, calls.map((call) => `${JSON.stringify(call)}\n`).join(""));
}
