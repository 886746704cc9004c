// Calls of one kind to one shard: while a batch is under way they gather, and become the next one.

import type { Batch, Rest, Waiting } from "./batch.ts";
import type { Clock } from "./clock.ts";
import type { BatchingObserver } from "./observer.ts";

export interface LaneOptions<W> {
  /** What it is called by whoever measures it, and its shard. */
  name: string;
  shard: string;
  observer?: BatchingObserver;
  /** Batches under way at once. */
  inFlight: number;
  /** Of the distinct keys of a batch, and of the bytes of the largest call on each. */
  maxRows: number;
  maxBytes: number;
  /** Settles each call, or returns it. */
  send: (batch: Batch<W>, deadline: number) => Promise<Rest<W>>;
  /** Takes back what has to be done again, and what waits behind it: it may be another lane's by now. */
  again: (waiting: W[]) => void;
  /** Told that the database did not take a batch. */
  onFailure: () => void;
}

const RETRY_DELAY_MS = { first: 10, most: 250 };

export class Lane<W extends Waiting<never>> {
  private queue: W[] = [];
  private underWay = 0;
  private scheduled = false;
  /** In a row. */
  private failures = 0;

  constructor(
    private readonly options: LaneOptions<W>,
    private readonly clock: Clock,
  ) {}

  add(waiting: W) {
    this.queue.push(waiting);
    this.schedule();
  }

  /** An idle lane sends as soon as the calls that have arrived by now are read: no timer delays anyone. */
  private schedule() {
    if (this.scheduled || this.underWay >= this.options.inFlight) return;
    this.scheduled = true;
    this.clock.soon(() => {
      this.scheduled = false;
      while (this.underWay < this.options.inFlight) {
        const batch = this.take();
        if (batch.size === 0) return;
        this.underWay += 1;
        this.send(batch)
          .catch((error) => this.fail(batch, error))
          .finally(() => {
            this.underWay -= 1;
            this.schedule();
          });
      }
    });
  }

  /** The oldest calls that fit one batch; those that are over, or past their deadline, are not sent. */
  private take(): Batch<W> {
    const { maxRows, maxBytes } = this.options;
    const batch: Batch<W> = new Map();
    /** Of the keys that have several. */
    const sizes = new Map<string, number>();
    const now = this.clock.now();
    let bytes = 0;
    let taken = 0;
    let sent = 0;
    for (; taken < this.queue.length; taken++) {
      const waiting = this.queue[taken] as W;
      const { call, id } = waiting;
      if (call.isOver || call.deadline <= now) {
        call.expire();
        continue;
      }
      const others = batch.get(id);
      const size = others ? (sizes.get(id) ?? (others[0] as W).call.bytes) : 0;
      const more = Math.max(0, call.bytes - size);
      if (batch.size > 0 && (bytes + more > maxBytes || (!others && batch.size >= maxRows))) break;
      bytes += more;
      sent += 1;
      call.sent(now, this.options.shard);
      if (others) {
        sizes.set(id, size + more);
        others.push(waiting);
      } else batch.set(id, [waiting]);
    }
    this.queue = this.queue.slice(taken);
    if (sent > 0) this.options.observer?.sent(this.options.name, batch.size, sent);
    return batch;
  }

  private async send(batch: Batch<W>) {
    const { observer, send } = this.options;
    const work = () => send(batch, latestDeadline(batch));
    const { again, failed } = await (observer?.around?.(this.options, callersOf(batch), work) ?? work());
    this.failures = failed ? this.failures + 1 : 0;
    if (again.length === 0) return;
    observer?.again(failed ? "unavailable" : "conflict", again.length);
    if (failed) {
      this.options.onFailure();
      await this.clock.sleep(retryDelayMs(this.failures, this.clock.random()));
    }
    const behind = this.queue;
    this.queue = [];
    this.options.again(again.concat(behind));
  }

  /** After an error in this program: it must not take other calls with it. */
  private fail(batch: Batch<W>, error: unknown) {
    for (const calls of batch.values()) for (const { call } of calls) call.reject(error);
  }
}

/** Longer each time, and by chance never quite what others wait. */
export function retryDelayMs(failures: number, chance = Math.random()): number {
  const { first, most } = RETRY_DELAY_MS;
  return Math.min(most, first * 2 ** (failures - 1)) * (0.5 + chance);
}

function* callersOf(batch: Batch<Waiting<never>>) {
  for (const calls of batch.values()) for (const { call } of calls) yield call.origin;
}

function latestDeadline(batch: Batch<Waiting<never>>): number {
  let latest = 0;
  for (const calls of batch.values()) for (const { call } of calls) if (call.deadline > latest) latest = call.deadline;
  return latest;
}
