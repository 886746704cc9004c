// Which calls are let in, and how long each may take: bounded numbers, bounded bytes, and one deadline that
// includes all waiting.

import { StoreError } from "../store/error.ts";
import type { Caller } from "../store/store.ts";
import { Call } from "./call.ts";
import type { Clock } from "./clock.ts";
import type { BatchingObserver, CallKind, Outcome, SettledCall } from "./observer.ts";

export interface AdmissionOptions {
  /** Calls that may be waiting or under way at once; the next one is `overloaded`. */
  maxCalls: number;
  /** Bytes of their keys and values, and of what is being received. */
  maxBytes: number;
  /** From a call's arrival to its answer. */
  deadlineMs: number;
  observer?: BatchingObserver;
}

/** How often calls past their deadline are looked for. */
const TICK_MS = 50;
/** Between looks at all calls, for each of them: so that looking takes little of the time, however many wait. */
const LOOK_MS_PER_CALL = 0.02;

export class Admission {
  private calls = 0;
  private bytes = 0;
  /** In order of arrival, which is the order of their deadlines. */
  private arrivals: Call<unknown>[] = [];
  private lookAt = Number.NEGATIVE_INFINITY;
  private readonly leave = (call: SettledCall, outcome: Outcome) => {
    this.calls -= 1;
    this.bytes -= call.bytes;
    this.options.observer?.settled(call, outcome);
  };

  constructor(
    private readonly options: AdmissionOptions,
    private readonly clock: Clock,
  ) {
    clock.every(TICK_MS, () => this.tick());
  }

  /** Lets a call in, or throws `overloaded`. */
  admit<R>(kind: CallKind, bytes: number, caller?: Caller): Call<R> {
    if (this.calls >= this.options.maxCalls) this.refuse("calls");
    this.take(bytes);
    this.calls += 1;
    const now = this.clock.now();
    const call = new Call<R>(kind, now, now + this.options.deadlineMs, bytes, caller, this.leave);
    this.arrivals.push(call as Call<unknown>);
    return call;
  }

  /** Counts bytes that are being received for a call to come, until what it returns is called; or throws `overloaded`. */
  reserve(bytes: number): () => void {
    this.take(bytes);
    return () => {
      this.bytes -= bytes;
    };
  }

  /** What waits or is under way at this moment. */
  get load(): { calls: number; bytes: number } {
    return { calls: this.calls, bytes: this.bytes };
  }

  /** Whether the next call is turned away, however small it is. */
  get full(): boolean {
    return this.calls >= this.options.maxCalls || this.bytes >= this.options.maxBytes;
  }

  private take(bytes: number) {
    // What is larger than all the room there is has it for itself.
    if (this.bytes + bytes > this.options.maxBytes && this.bytes > 0) this.refuse("bytes");
    this.bytes += bytes;
  }

  private refuse(reason: "calls" | "bytes"): never {
    this.options.observer?.refused(reason);
    throw new StoreError("overloaded", `${this.calls} calls with ${this.bytes} bytes are waiting`);
  }

  private tick() {
    const now = this.clock.now();
    // The last first: answering a call may start those that wait for it, which must have been answered by then.
    for (let i = this.lateAt(now) - 1; i >= 0; i--) (this.arrivals[i] as Call<unknown>).expire();
    if (now < this.lookAt) return;
    // One that is stuck must not keep those behind it, and the values they were answered with, in memory.
    this.arrivals = this.arrivals.filter((call) => {
      if (call.isOver) call.expire();
      return !call.isOver;
    });
    this.lookAt = now + this.arrivals.length * LOOK_MS_PER_CALL;
  }

  /** How many calls are past their deadline, which are the first. */
  private lateAt(now: number): number {
    let [least, most] = [0, this.arrivals.length];
    while (least < most) {
      const middle = (least + most) >> 1;
      if ((this.arrivals[middle] as Call<unknown>).deadline <= now) least = middle + 1;
      else most = middle;
    }
    return least;
  }
}
