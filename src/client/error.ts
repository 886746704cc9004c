// A call that failed, as the caller sees it.

/** Its message holds neither a key nor a value. */
export class KVError extends Error {
  override readonly name = "KVError";

  constructor(
    /**
     * The stable `code` of the server's problem document, or "network" (no answer came), "timeout", "bad_answer" (not
     * this store's), "not_json" (the value that was read is none).
     */
    readonly code: string,
    detail: string,
    /** Of the answer; 0 where none came. */
    readonly status = 0,
    /** Whether a write may have been done all the same, or may yet be. Where it is false nothing was changed. */
    readonly outcomeUnknown = false,
    /** By which the server's log names the call. */
    readonly requestId?: string,
  ) {
    super(`${code}: ${detail}`);
  }
}
