// One call that was let in: settled once, by its result or by its deadline, whichever is first.

import { StoreError } from "../store/error.ts";
import type { Caller } from "../store/store.ts";

/** What a lane and its statements need of a call. */
export interface Settling<R> {
  readonly settled: boolean;
  /** As performance.now() counts: it is not sent any more from then on. */
  readonly deadline: number;
  /** Of its key and value. */
  readonly bytes: number;
  /** True while a write may have happened, or may yet, whatever its caller is told. */
  sent: boolean;
  resolve(result: R): void;
  reject(error: unknown): void;
  /** Its deadline has passed. */
  expire(): void;
}

export class Call<R> implements Settling<R> {
  sent = false;
  readonly promise: Promise<R>;
  private isAnswered = false;
  private resolvePromise!: (result: R) => void;
  private rejectPromise!: (error: unknown) => void;

  constructor(
    readonly deadline: number,
    readonly bytes: number,
    private readonly caller: Caller | undefined,
    /** Called once, as soon as it is settled. */
    private readonly onSettled: (bytes: number) => void = () => {},
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
  }

  /** A call whose caller has gone, and that was not sent, ends here: nobody waits for it. */
  get settled(): boolean {
    if (!this.isAnswered && this.caller?.aborted && !this.sent) {
      this.reject(new StoreError("unavailable", "the caller has gone"));
    }
    return this.isAnswered;
  }

  resolve(result: R) {
    if (this.settle()) this.resolvePromise(result);
  }

  reject(error: unknown) {
    if (this.settle()) this.rejectPromise(error);
  }

  expire() {
    this.reject(new StoreError(this.sent ? "outcome_unknown" : "unavailable", "no answer within the deadline"));
  }

  private settle(): boolean {
    if (this.isAnswered) return false;
    this.isAnswered = true;
    this.onSettled(this.bytes);
    return true;
  }
}
