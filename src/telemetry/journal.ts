// What became of a request's calls at the store, for those requests of which somebody wants to know: one that asked for
// its times, one that is traced, one that was slow. For any other nothing is kept.

/** A call that has its answer; times as performance.now() counts. */
export interface JournalCall {
  kind: string;
  /** Who called: the same for all calls of a request. */
  caller: object | undefined;
  arrivedAt: number;
  /** When its first statement was sent, and to which shard; undefined where none was. */
  sentAt: number | undefined;
  shard: string | undefined;
}

/** Of the call that took longest. */
export interface CallTimes {
  shard: string | undefined;
  queueMs: number;
  /** From its first statement to its answer, with what had to be sent again. */
  databaseMs: number;
}

export interface Entry {
  longest?: CallTimes;
  /** Told of each call. */
  onCall?: (call: JournalCall, outcome: string, endedAt: number) => void;
}

export class Journal {
  private readonly entries = new WeakMap<object, Entry>();
  private watched = 0;

  /** Calls that take as long as this are kept of any request. */
  constructor(readonly slowMs: number) {}

  /** Begins to keep what a caller's calls do, until `close`. */
  open(caller: object): Entry {
    const entry: Entry = {};
    this.entries.set(caller, entry);
    this.watched += 1;
    return entry;
  }

  close() {
    this.watched -= 1;
  }

  /** Undefined where nothing was kept. */
  of(caller: object): Entry | undefined {
    return this.entries.get(caller);
  }

  /** On every call's way. */
  settled(call: JournalCall, outcome: string, endedAt: number) {
    const { caller, arrivedAt } = call;
    const isSlow = endedAt - arrivedAt >= this.slowMs;
    if (caller === undefined || (this.watched === 0 && !isSlow)) return;
    let entry = this.entries.get(caller);
    if (!entry) {
      if (!isSlow) return;
      entry = {};
      this.entries.set(caller, entry);
    }
    const { longest } = entry;
    if (!longest || longest.queueMs + longest.databaseMs < endedAt - arrivedAt) {
      const sentAt = call.sentAt ?? endedAt;
      entry.longest = { shard: call.shard, queueMs: sentAt - arrivedAt, databaseMs: endedAt - sentAt };
    }
    entry.onCall?.(call, outcome, endedAt);
  }
}
