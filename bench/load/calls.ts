// What stands between a workload and the generator that drives it: which calls are made, and what their answers mean.

import type { Operation, Violation } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";

/** An answer is as it should be, or an error that tells nothing about the store's promises, or a violation of them. */
export type Verdict = "true" | "error" | Violation;

/** Every call is under way on an Operation, which is its connection's: calls on one Operation follow each other. */
export interface Calls {
  /** How many keys are written before anything is measured. */
  readonly keys: number;
  /** Makes it the call that writes a key. */
  fill(op: Operation, key: number): void;
  /** Makes it the next call; false if there is none left. */
  next(op: Operation): boolean;
  /** Makes it the call that has a last look at a key, once every other call has ended, for workloads that take one. */
  last?(op: Operation, key: number): void;
  /** The call is about to be sent. Gives its bytes, in a buffer that the next call overwrites. */
  begin(op: Operation, nowMs: number): Buffer;
  /** Judges an answer. A call that gets none, or one that leaves its outcome open, is never heard of again. */
  judge(op: Operation, reader: ResponseReader, nowMs: number): Verdict;
  /** The call was judged an error, and surely not done. */
  refused(op: Operation): void;
  /** What examples of violations call a key. */
  nameOf(key: number): string;
}

/** What the store is asked to hold by any workload. */
export interface Contents {
  namespace: string;
  /** Names this run, in `RUN_CHARACTERS`. */
  run: string;
  valueBytes: number;
}
