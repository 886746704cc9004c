// One call that was let in: settled once, by its result or by its deadline, whichever is first.

import { StoreError } from "../store/error.ts";
import type { Caller } from "../store/store.ts";
import type { CallKind, Outcome, SettledCall } from "./observer.ts";

export class Call<R> implements SettledCall {
  /** True while a write of its may have happened, or may yet, whatever its caller is told. */
  mayHappen = false;
  sentAt: number | undefined;
  shard: string | undefined;
  readonly promise: Promise<R>;
  private isAnswered = false;
  private resolvePromise!: (result: R) => void;
  private rejectPromise!: (error: unknown) => void;

  constructor(
    readonly kind: CallKind,
    /** As performance.now() counts, as does the deadline: it is not sent any more from then on. */
    readonly arrivedAt: number,
    readonly deadline: number,
    /** Of its key and value. */
    readonly bytes: number,
    readonly caller: Caller | undefined,
    /** Called once, as soon as it is settled. */
    private readonly onSettled: (call: SettledCall, outcome: Outcome) => void = () => {},
    /** What this is a part of. */
    private readonly whole?: Pick<Call<unknown>, "sent" | "origin">,
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
    const caller = {
      get aborted() {
        return whole.isOver;
      },
    };
    return new Call<P>(this.kind, this.arrivedAt, this.deadline, 0, caller, undefined, whole);
  }

  /** Who called, of a part too. */
  get origin(): Caller | undefined {
    return this.whole ? this.whole.origin : this.caller;
  }

  /** A statement for it is about to be sent. */
  sent(nowMs: number, shard: string) {
    if (this.sentAt !== undefined) return;
    this.sentAt = nowMs;
    this.shard = shard;
    this.whole?.sent(nowMs, shard);
  }

  resolve(result: R) {
    if (this.isAnswered) return;
    this.settle("ok");
    this.resolvePromise(result);
  }

  /** Whatever the error says, a write that may have happened is not called one that did not. */
  reject(error: unknown) {
    if (this.isAnswered) return;
    const code = error instanceof StoreError ? error.code : "internal";
    if (this.mayHappen && code !== "outcome_unknown") {
      this.settle("outcome_unknown");
      this.rejectPromise(new StoreError("outcome_unknown", "an attempt before may have been applied"));
      return;
    }
    this.settle(this.caller?.aborted && code === "unavailable" ? "abandoned" : code);
    this.rejectPromise(error);
  }

  /** Its deadline has passed, or its caller has gone. */
  expire() {
    // To make an error for every call that was answered would cost each as much as its statement does.
    if (this.isAnswered) return;
    this.reject(new StoreError("unavailable", "no answer within the deadline"));
  }

  private settle(outcome: Outcome) {
    this.isAnswered = true;
    this.onSettled(this, outcome);
  }
}
