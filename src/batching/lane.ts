// Calls of one kind to one shard: while a statement is under way they gather, and become the next one.

import { StoreError } from "../store/error.ts";
import type { Call } from "./admission.ts";

export interface LaneOptions<T, R> {
  /** Statements under way at once. */
  inFlight: number;
  maxRows: number;
  maxBytes: number;
  /** Sends one statement for all of them and settles each, or throws what is true for all. */
  send: (batch: Waiting<T, R>[], deadline: number) => Promise<void>;
}

export interface Waiting<T, R> {
  /** Names the key. */
  id: string;
  item: T;
  call: Call<R>;
}

export class Lane<T, R> {
  private queue: Waiting<T, R>[] = [];
  private underWay = 0;
  private scheduled = false;

  constructor(private readonly options: LaneOptions<T, R>) {}

  add(waiting: Waiting<T, R>) {
    this.queue.push(waiting);
    this.schedule();
  }

  /** An idle lane sends as soon as the calls that have arrived by now are read: no timer delays anyone. */
  private schedule() {
    if (this.scheduled || this.underWay >= this.options.inFlight) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      while (this.underWay < this.options.inFlight) {
        const batch = this.take();
        if (batch.length === 0) return;
        this.underWay += 1;
        this.send(batch).finally(() => {
          this.underWay -= 1;
          this.schedule();
        });
      }
    });
  }

  /** The oldest calls that fit one statement; those whose deadline has passed have had their answer, or are about to. */
  private take(): Waiting<T, R>[] {
    const batch: Waiting<T, R>[] = [];
    let bytes = 0;
    let taken = 0;
    const now = performance.now();
    for (; taken < this.queue.length && batch.length < this.options.maxRows; taken++) {
      const waiting = this.queue[taken] as Waiting<T, R>;
      if (waiting.call.settled || waiting.call.deadline <= now) continue;
      bytes += waiting.call.bytes;
      if (bytes > this.options.maxBytes && batch.length > 0) break;
      waiting.call.sent = true;
      batch.push(waiting);
    }
    this.queue = this.queue.slice(taken);
    return batch;
  }

  private async send(batch: Waiting<T, R>[]) {
    const deadline = batch.reduce((latest, { call }) => Math.max(latest, call.deadline), 0);
    try {
      await this.options.send(batch, deadline);
    } catch (error) {
      // The database refused the statement, for one entry's sake perhaps: nothing was changed, and the others can do
      // without it.
      if (batch.length > 1 && error instanceof StoreError && error.code === "internal") {
        const half = Math.ceil(batch.length / 2);
        await Promise.all([this.send(batch.slice(0, half)), this.send(batch.slice(half))]);
      } else {
        for (const { call } of batch) call.reject(error);
      }
    }
  }
}
