// One call that was let in: settled once, by its result or by its deadline, whichever is first.

import { StoreError } from "../store/error.ts";
import type { Caller } from "../store/store.ts";

export class Call<R> {
  /** True while a write of its may have happened, or may yet, whatever its caller is told. */
  mayHappen = false;
  readonly promise: Promise<R>;
  private isAnswered = false;
  private resolvePromise!: (result: R) => void;
  private rejectPromise!: (error: unknown) => void;

  constructor(
    /** As performance.now() counts: it is not sent any more from then on. */
    readonly deadline: number,
    /** Of its key and value. */
    readonly bytes: number,
    private readonly caller?: Caller,
    /** Called once, as soon as it is settled. */
    private readonly onSettled: (bytes: number) => void = () => {},
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
  }

  /** Whether nothing is to be done for it any more. Nobody waits for one whose caller has gone and that did not happen. */
  get isOver(): boolean {
    return this.isAnswered || (this.caller?.aborted === true && !this.mayHappen);
  }

  /** A call that this one needs: over when this one is. */
  part<P>(): Call<P> {
    const whole = this;
    return new Call<P>(this.deadline, 0, {
      get aborted() {
        return whole.isOver;
      },
    });
  }

  resolve(result: R) {
    if (this.settle()) this.resolvePromise(result);
  }

  /** Whatever the error says, a write that may have happened is not called one that did not. */
  reject(error: unknown) {
    if (!this.settle()) return;
    const isTrue = !this.mayHappen || (error instanceof StoreError && error.code === "outcome_unknown");
    this.rejectPromise(isTrue ? error : new StoreError("outcome_unknown", "an attempt before may have been applied"));
  }

  /** Its deadline has passed, or its caller has gone. */
  expire() {
    // To make an error for every call that was answered would cost each as much as its statement does.
    if (this.isAnswered) return;
    this.reject(new StoreError("unavailable", "no answer within the deadline"));
  }

  private settle(): boolean {
    if (this.isAnswered) return false;
    this.isAnswered = true;
    this.onSettled(this.bytes);
    return true;
  }
}
