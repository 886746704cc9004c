// Judges answers: whether what a read returned can be true, given every call that this process has made on the key.
//
// Order. Every beginning and end gets a tick of one counter, so that "before" is exact. A call happens at one instant
// between its two ticks; where that leaves a doubt, nothing is counted. A write whose outcome is unknown has no end.
//
// Time. Durations of TTLs are compared on the monotonic clock, from the beginning (an entry can't expire earlier than
// that plus its TTL) or the end (it can't live longer) of the call that set them.

import { FOREIGN } from "./value.ts";

export type Violation =
  /** A value of another key, a damaged one, or one of a write that was never sent or was answered as not done. */
  | "wrong"
  /** A value that had surely been overwritten, deleted or seen gone before the read began. */
  | "stale"
  /** No value, though nothing could have removed it. */
  | "lost"
  /** A value that had surely expired before the read began. */
  | "expired"
  /** A lock given to somebody while somebody else surely held it. */
  | "shared";

/**
 * The store counts in whole milliseconds, and so rounds an instant and the present by up to one each. Its clock, this
 * machine's, runs as fast as the monotonic one, but a step of it would be taken for a violation.
 */
export const TOLERANCE_MS = 2;

/** In place of the end of a write that was answered as not done. */
const REFUSED = -1;

/** A call under way. One object serves a connection for all its calls. */
export class Operation {
  kind: "read" | "put" | "delete" | "expire" | "persist" = "read";
  /** As this process numbers its own keys. */
  key = 0;
  /** Of a put or an expire; 0 for none. */
  ttlMs = 0;
  /** The number of a put, from 1. */
  write = 0;
  /** Which one, where a workload has several calls of a kind. */
  form = 0;
  begun = 0;
  begunMs = 0;
  /** What was known of the key when the call began: see `Checker`. */
  floor = 0;
  presentFloor = 0;
}

export class Checker {
  private tick = 0;
  /** Numbers writes; 0 is none. */
  private writes = 0;
  private readonly start = new Growing();
  private readonly end = new Growing();
  /** When a write's entry has expired at the latest, unless its TTL was changed. */
  private readonly deadline = new Growing();

  /** By key: a value whose write ended before this tick has surely been replaced or removed. 0: nothing is known. */
  private readonly floor: Float64Array;
  /** By key: the entry was surely there at some time after this tick. */
  private readonly present: Float64Array;
  /** By key: deletes without an end, and the last end of one. */
  private readonly deleting: Uint32Array;
  private readonly deleted: Float64Array;
  /** By key: calls that give it an expiry, and the earliest instant at which one of them can have let it expire. */
  private readonly expiring: Uint32Array;
  private readonly expiringEnd: Float64Array;
  private readonly earliest: Float64Array;
  /** The tick from which on `earliest` is about later calls only. */
  private readonly earliestSince: Float64Array;
  /**
   * By key: changes of its TTL without an end, the last end of one, and the latest instant of expiry that those since
   * `changedSince` can have set. The first of them overlapped no other.
   */
  private readonly changing: Uint32Array;
  private readonly changedEnd: Float64Array;
  private readonly changedUntil: Float64Array;
  private readonly changedSince: Float64Array;

  constructor(keys: number) {
    const ticks = () => new Float64Array(keys);
    const counts = () => new Uint32Array(keys);
    [this.floor, this.present, this.deleted, this.deleting] = [ticks(), ticks(), ticks(), counts()];
    [this.expiring, this.expiringEnd, this.earliest, this.earliestSince] = [counts(), ticks(), ticks(), ticks()];
    [this.changing, this.changedEnd, this.changedUntil, this.changedSince] = [counts(), ticks(), ticks(), ticks()];
  }

  /** The call is about to be sent. */
  begin(op: Operation, nowMs: number) {
    const { kind, key } = op;
    op.begun = ++this.tick;
    op.begunMs = nowMs;
    op.floor = this.floor[key] as number;
    op.presentFloor = this.present[key] as number;
    if (kind === "read") return;
    if (kind === "put") {
      op.write = ++this.writes;
      this.start.set(op.write, op.begun);
      this.end.set(op.write, Number.POSITIVE_INFINITY);
      this.deadline.set(op.write, Number.POSITIVE_INFINITY);
    } else if (kind === "delete") add(this.deleting, key, 1);
    else add(this.changing, key, 1);
    if (op.ttlMs > 0) {
      add(this.expiring, key, 1);
      const earliest = nowMs + op.ttlMs;
      const before = this.earliest[key] as number;
      if (before === 0 || earliest < before) this.earliest[key] = earliest;
    }
  }

  /** A read was answered with the value of a write (a number, FOREIGN or MALFORMED). */
  value(op: Operation, write: number): Violation | undefined {
    const { key } = op;
    this.tick += 1;
    // From another run: true until this one has changed the key.
    if (write === FOREIGN) return op.floor > 0 ? "stale" : undefined;
    if (write < 0 || write > this.writes || this.end.get(write) === REFUSED) return "wrong";
    if (this.end.get(write) < op.floor) return "stale";
    if (op.begunMs > this.deadlineOf(key, write) + TOLERANCE_MS) return "expired";
    // What a read has shown has happened, whether or not its writer has been told yet.
    raise(this.floor, key, this.start.get(write));
    raise(this.present, key, op.begun);
    return undefined;
  }

  /** A read or a change of a TTL was answered with "no such key". */
  absent(op: Operation, nowMs: number): Violation | undefined {
    const { key } = op;
    this.tick += 1;
    if (op.kind !== "read") this.unapplied(op);
    const deletable = (this.deleting[key] as number) > 0 || (this.deleted[key] as number) > op.presentFloor;
    const earliest = this.earliest[key] as number;
    const expirable =
      (earliest !== 0 && earliest <= nowMs + TOLERANCE_MS) || (this.earliestSince[key] as number) > op.begun;
    if (op.presentFloor > 0 && !deletable && !expirable) return "lost";
    // Whatever was written before has gone, and does not come back.
    raise(this.floor, key, op.begun);
    return undefined;
  }

  /** A write was answered as done. */
  done(op: Operation, nowMs: number) {
    const { kind, key, ttlMs } = op;
    const tick = ++this.tick;
    if (kind === "put") {
      this.end.set(op.write, tick);
      if (ttlMs > 0) this.deadline.set(op.write, nowMs + ttlMs);
    } else if (kind === "delete") {
      add(this.deleting, key, -1);
      this.deleted[key] = tick;
    } else {
      const until = kind === "expire" ? nowMs + ttlMs : Number.POSITIVE_INFINITY;
      add(this.changing, key, -1);
      if (this.changing[key] === 0 && (this.changedEnd[key] as number) < op.begun) {
        this.changedSince[key] = op.begun;
        this.changedUntil[key] = until;
      } else raise(this.changedUntil, key, until);
      this.changedEnd[key] = tick;
    }
    if (kind === "put" || kind === "delete") raise(this.floor, key, op.begun);
    if (kind === "delete") return;
    raise(this.present, key, op.begun);
    if (ttlMs > 0) add(this.expiring, key, -1);
    // It overlapped no other call that sets an expiry, so earlier ones are no longer to be reckoned with.
    if (this.expiring[key] === 0 && (this.expiringEnd[key] as number) < op.begun && this.earliest[key] !== 0) {
      this.earliest[key] = ttlMs > 0 ? op.begunMs + ttlMs : 0;
      this.earliestSince[key] = tick;
    }
    if (ttlMs > 0) this.expiringEnd[key] = tick;
  }

  /** A write was answered as not done. Of one whose outcome is unknown nothing is told: it may happen at any time. */
  refused(op: Operation) {
    this.tick += 1;
    if (op.kind !== "read") this.unapplied(op);
  }

  private unapplied({ kind, key, ttlMs, write }: Operation) {
    if (kind === "put") this.end.set(write, REFUSED);
    else add(kind === "delete" ? this.deleting : this.changing, key, -1);
    if (ttlMs > 0) {
      add(this.expiring, key, -1);
      this.expiringEnd[key] = this.tick;
    }
  }

  /** When the value of a write must have expired; infinite where that can't be told. */
  private deadlineOf(key: number, write: number): number {
    if ((this.changing[key] as number) > 0) return Number.POSITIVE_INFINITY;
    const own = this.deadline.get(write);
    if ((this.changedEnd[key] as number) < this.start.get(write)) return own;
    const until = this.changedUntil[key] as number;
    // It was there when the first of these changes happened, and had to take it.
    return this.end.get(write) < (this.changedSince[key] as number) ? until : Math.max(own, until);
  }
}

function add(counts: Uint32Array, key: number, difference: 1 | -1) {
  counts[key] = (counts[key] as number) + difference;
}

function raise(floors: Float64Array, key: number, to: number) {
  if (to > (floors[key] as number)) floors[key] = to;
}

const CHUNK_BITS = 18;

/** Numbers by index, without end: it grows in chunks, since copying millions would be a pause that is measured. */
class Growing {
  private readonly chunks: Float64Array[] = [];

  get(index: number): number {
    return this.chunks[index >>> CHUNK_BITS]?.[index & ((1 << CHUNK_BITS) - 1)] as number;
  }

  set(index: number, to: number) {
    const chunk = index >>> CHUNK_BITS;
    let numbers = this.chunks[chunk];
    if (!numbers) {
      numbers = new Float64Array(1 << CHUNK_BITS);
      this.chunks[chunk] = numbers;
    }
    numbers[index & ((1 << CHUNK_BITS) - 1)] = to;
  }
}
