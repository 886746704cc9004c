// What batching tells whoever measures it. It is told on every call's way, so it must take nanoseconds.

import type { StoreErrorCode } from "../store/error.ts";
import type { Caller } from "../store/store.ts";

/** Kinds of calls, as `Store` names them. */
export type CallKind = "get" | "head" | "put" | "delete" | "expire" | "persist" | "update" | "transact" | "list";

/** How a call ended; "abandoned" where its caller had gone, and nothing of it was done. */
export type Outcome = "ok" | "abandoned" | StoreErrorCode;

/** A call that has its answer. Times are as performance.now() counts. */
export interface SettledCall {
  readonly kind: CallKind;
  readonly caller: Caller | undefined;
  readonly arrivedAt: number;
  readonly bytes: number;
  /** When its first statement was about to be sent, and to which shard; undefined where none was. */
  readonly sentAt: number | undefined;
  readonly shard: string | undefined;
}

export interface BatchingObserver {
  settled(call: SettledCall, outcome: Outcome): void;
  /** A call was not let in, because of the bound on the number of calls or on their bytes. */
  refused(reason: "calls" | "bytes"): void;
  /** A batch is sent, with so many keys, for so many calls. */
  sent(lane: string, rows: number, calls: number): void;
  /** Does the work of a batch. `callers` are those of its calls; undefined where nobody wants to be around it. */
  around?: <T>(
    lane: { name: string; shard: string },
    callers: Iterable<Caller | undefined>,
    work: () => Promise<T>,
  ) => Promise<T>;
  /** Calls are sent again: the database did not take them, or another server's write was first. */
  again(reason: "unavailable" | "conflict", calls: number): void;
}
