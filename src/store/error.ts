// A failed call: what its caller is told, and what is thereby true.

export type StoreErrorCode =
  /** Nothing was changed; the same call may succeed later. */
  | "unavailable"
  /** Nothing was changed; more calls wait for the database than may. */
  | "overloaded"
  /** A write was sent and its answer never came: it may have happened, or may yet. */
  | "outcome_unknown"
  /** Nothing was changed; the database refuses the statement, now and later: a fault in the set-up or in this program. */
  | "internal";

/** A failed call. Neither its message nor its reason, which is one line for the log, ever holds a key or a value. */
export class StoreError extends Error {
  constructor(
    readonly code: StoreErrorCode,
    readonly reason: string,
    /** Of what is "unavailable": whether it will be for longer than any call may take. */
    readonly isFinal = false,
  ) {
    super(`${code}: ${reason}`);
  }
}
