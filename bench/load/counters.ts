// The workload `counters`: each counter is read and then increased by compare-and-swap, which begins anew where somebody
// else was first. No increment may be lost, and none may happen that was answered as not done.
//
// The value of a counter is the number of its increments, and 1 to begin with, because 0 is no write's number. While
// calls are under way it lies between what has been acknowledged and that with all calls whose outcome is open, some of
// them for ever; once all others have ended, a last look is taken at each.

import type { Calls, Contents, Verdict } from "./calls.ts";
import type { Operation } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";
import type { Keys } from "./keys.ts";
import { MarkedPut, Template } from "./requests.ts";
import { Tags } from "./tags.ts";
import { writeOf } from "./value.ts";

const FIRST = 1;

/** What a connection has read and will replace. */
interface Seen {
  /** 0: nothing. */
  value: number;
  tag: Tags;
  /** Whether its read is the last look at the counter. */
  last: boolean;
}

export class Counters implements Calls {
  readonly keys: number;
  private readonly read: Template;
  private readonly first: MarkedPut;
  private readonly swap: MarkedPut;
  private readonly expected: { key: number; run: string; valueBytes: number };
  private readonly seen = new Map<Operation, Seen>();
  /** By counter: its least value, by what was acknowledged; NaN, which no value violates, where that can't be told. */
  private readonly least: Float64Array;
  /** By counter: writes whose outcome is open. */
  private readonly open: Uint32Array;

  constructor(
    private readonly names: Keys,
    contents: Contents,
  ) {
    this.keys = names.count;
    this.read = new Template({ method: "GET", namespace: contents.namespace });
    this.first = new MarkedPut(contents);
    this.swap = new MarkedPut(contents, { ifMatch: true });
    this.expected = { key: 0, ...contents };
    this.least = new Float64Array(this.keys);
    this.open = new Uint32Array(this.keys);
  }

  fill(op: Operation, key: number) {
    op.kind = "put";
    op.key = key;
    op.write = FIRST;
  }

  next(op: Operation): boolean {
    const seen = this.seenBy(op);
    if (seen.value > 0) {
      op.kind = "put";
      op.write = seen.value + 1;
      seen.value = 0;
    } else {
      op.kind = "read";
      op.key = this.names.choose();
      seen.last = false;
    }
    return true;
  }

  last(op: Operation, key: number) {
    const seen = this.seenBy(op);
    seen.value = 0;
    seen.last = true;
    op.kind = "read";
    op.key = key;
  }

  begin(op: Operation): Buffer {
    const { kind, key, write } = op;
    const name = key;
    if (kind === "read") {
      op.floor = this.least[key] as number;
      this.read.setKey(name);
      return this.read.bytes;
    }
    this.open[key] = (this.open[key] as number) + 1;
    const template = write === FIRST ? this.first : this.swap;
    if (write !== FIRST) this.seenBy(op).tag.put(0, template);
    template.set(name, write);
    return template.bytes;
  }

  judge(op: Operation, reader: ResponseReader): Verdict {
    const { kind, key, write } = op;
    const { status } = reader;
    if (kind === "read") return status === 200 ? this.value(op, reader) : status === 404 ? "lost" : "error";
    if (status !== 204 && (status !== 412 || write === FIRST)) return "error";
    this.settle(key);
    if (status === 204) {
      // A first value that may be written again, later, leaves nothing to be told of its counter.
      if (write === FIRST) this.least[key] = this.open[key] === 0 ? FIRST : Number.NaN;
      else this.least[key] = (this.least[key] as number) + 1;
    } else if (this.most(key) < write) return "wrong";
    return "true";
  }

  refused({ kind, key }: Operation) {
    if (kind === "put") this.settle(key);
  }

  nameOf(key: number): string {
    return `k${key}`;
  }

  private value(op: Operation, reader: ResponseReader): Verdict {
    const { key, floor } = op;
    this.expected.key = key;
    const value = writeOf(reader.bytes, reader.bodyStart, reader.bodyEnd, this.expected);
    const seen = this.seenBy(op);
    if (value < FIRST || value > this.most(key)) return "wrong";
    // What is missing at the end was not only late to be shown.
    if (value < floor) return seen.last ? "lost" : "stale";
    if (!seen.last && seen.tag.keep(0, reader)) seen.value = value;
    return "true";
  }

  /** What its value can be at most. If that is no more than what a call has read, nobody can have been first. */
  private most(key: number): number {
    return (this.least[key] as number) + (this.open[key] as number);
  }

  private settle(key: number) {
    this.open[key] = (this.open[key] as number) - 1;
  }

  private seenBy(op: Operation): Seen {
    let seen = this.seen.get(op);
    if (!seen) {
      seen = { value: 0, tag: new Tags(1), last: false };
      this.seen.set(op, seen);
    }
    return seen;
  }
}
