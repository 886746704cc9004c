// Which calls are let in, and how long each may take: bounded numbers, bounded bytes, and one deadline that
// includes all waiting.

import { StoreError } from "../store/error.ts";

export interface AdmissionOptions {
  /** Calls that may be waiting or under way at once; the next one is `overloaded`. */
  maxCalls: number;
  /** Bytes of their keys and values. */
  maxBytes: number;
  /** From a call's arrival to its answer. */
  deadlineMs: number;
}

const nothing = () => {};

/** How often calls past their deadline are looked for. */
const TICK_MS = 50;

/** One call that was let in: settled once, by its result or by its deadline, whichever is first. */
export class Call<R> {
  /** Set when its statement goes to the database: from then on a write may happen, whatever its caller is told. */
  sent = false;
  settled = false;
  /** Called once, as soon as it is settled. */
  onSettled = nothing;
  readonly promise: Promise<R>;
  private resolvePromise!: (result: R) => void;
  private rejectPromise!: (error: unknown) => void;

  constructor(
    private readonly admission: Admission,
    readonly bytes: number,
    readonly writes: boolean,
    /** As performance.now() counts. */
    readonly deadline: number,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
  }

  resolve(result: R) {
    if (this.settle()) this.resolvePromise(result);
  }

  reject(error: unknown) {
    if (this.settle()) this.rejectPromise(error);
  }

  /** Does what the call is for, with no other call's help. */
  async run(work: () => Promise<R>) {
    // Past its deadline it is about to be answered so, and must not be sent any more.
    if (this.settled || performance.now() >= this.deadline) return;
    this.sent = true;
    try {
      this.resolve(await work());
    } catch (error) {
      this.reject(error);
    }
  }

  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.admission.leave(this.bytes);
    this.onSettled();
    return true;
  }
}

export class Admission {
  private calls = 0;
  private bytes = 0;
  /** In order of arrival, which is the order of their deadlines. */
  private arrivals: Call<unknown>[] = [];

  constructor(private readonly options: AdmissionOptions) {
    setInterval(() => this.tick(), TICK_MS).unref?.();
  }

  /** Lets a call in, or throws `overloaded`. */
  admit<R>(bytes: number, writes: boolean): Call<R> {
    const { maxCalls, maxBytes, deadlineMs } = this.options;
    if (this.calls >= maxCalls || (this.bytes + bytes > maxBytes && this.calls > 0)) {
      throw new StoreError("overloaded", `${this.calls} calls with ${this.bytes} bytes are waiting`);
    }
    this.calls += 1;
    this.bytes += bytes;
    const call = new Call<R>(this, bytes, writes, performance.now() + deadlineMs);
    this.arrivals.push(call as Call<unknown>);
    return call;
  }

  /** Whether the next call is turned away, however small it is. */
  get full(): boolean {
    return this.calls >= this.options.maxCalls || this.bytes >= this.options.maxBytes;
  }

  /** Makes room for the next call. */
  leave(bytes: number) {
    this.calls -= 1;
    this.bytes -= bytes;
  }

  private tick() {
    const now = performance.now();
    // The last first: answering a call may start those that wait for it, which must have been answered by then.
    for (let i = this.arrivals.findLastIndex((call) => call.deadline <= now); i >= 0; i--) {
      const call = this.arrivals[i] as Call<unknown>;
      if (call.settled) continue;
      call.reject(
        call.sent && call.writes
          ? new StoreError("outcome_unknown", "no answer within the deadline")
          : new StoreError("unavailable", "no answer within the deadline"),
      );
    }
    // One that is stuck must not keep those behind it, and the values they were answered with, in memory.
    this.arrivals = this.arrivals.filter((call) => !call.settled);
  }
}
