// The load simulator: its checker finds every kind of false answer and accuses no true one, and it says so when it
// runs against a server.

import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import fc from "fast-check";
import type { Calls } from "../bench/load/calls.ts";
import { Checker, Operation } from "../bench/load/checker.ts";
import { Counters } from "../bench/load/counters.ts";
import { ProtocolError, ResponseReader } from "../bench/load/http-response.ts";
import { Increments } from "../bench/load/increments.ts";
import { Keys } from "../bench/load/keys.ts";
import { LOCK_TTLS_MS, Locks } from "../bench/load/locks.ts";
import { type LoadResult, runLoad } from "../bench/load/run.ts";
import { FOREIGN, fillValue, MALFORMED, writeOf } from "../bench/load/value.ts";
import { scrambledZipfian } from "../bench/random.ts";
import { targets } from "./targets.ts";

const LOAD = join(import.meta.dirname, "../bench/load.ts");

/** Calls on the one key of a checker, at times that the test sets. */
class History {
  readonly checker = new Checker(1);
  nowMs = 1000;

  begin(kind: Operation["kind"], ttlMs = 0): Operation {
    const op = Object.assign(new Operation(), { kind, ttlMs });
    this.checker.begin(op, this.nowMs);
    return op;
  }

  done(op: Operation): number {
    this.checker.done(op, this.nowMs);
    return op.write;
  }

  /** A whole call at one time; gives the write's number. */
  call(kind: Operation["kind"], ttlMs?: number): number {
    return this.done(this.begin(kind, ttlMs));
  }

  sees(write: number, op = this.begin("read")) {
    return this.checker.value(op, write);
  }

  seesNone(op = this.begin("read")) {
    return this.checker.absent(op, this.nowMs);
  }
}

describe("checker", () => {
  test("the newest value is true, an overwritten one is stale", () => {
    const history = new History();
    const first = history.call("put");
    expect(history.sees(first)).toBeUndefined();
    const second = history.call("put");
    expect(history.sees(second)).toBeUndefined();
    expect(history.sees(first)).toBe("stale");
  });

  test("a read that began before the overwriting was acknowledged may see either", () => {
    const history = new History();
    const first = history.call("put");
    const reads = [history.begin("read"), history.begin("read")] as const;
    const second = history.call("put");
    expect(history.sees(first, reads[0])).toBeUndefined();
    expect(history.sees(second, reads[1])).toBeUndefined();
  });

  test("of two concurrent writes either may win", () => {
    const history = new History();
    const [one, other] = [history.begin("put"), history.begin("put")];
    history.done(one);
    history.done(other);
    expect(history.sees(one.write)).toBeUndefined();
    expect(history.sees(other.write)).toBeUndefined();
  });

  test("what one read has shown, later reads don't take back, acknowledged or not", () => {
    const history = new History();
    const first = history.call("put");
    const second = history.begin("put");
    expect(history.sees(first)).toBeUndefined();
    expect(history.sees(second.write)).toBeUndefined();
    expect(history.sees(first)).toBe("stale");
  });

  test("a write of unknown outcome may show late, or never", () => {
    const history = new History();
    const unknown = history.begin("put");
    const second = history.call("put");
    expect(history.sees(second)).toBeUndefined();
    expect(history.sees(unknown.write)).toBeUndefined();
  });

  test("values that were never written, or were answered as not written, are wrong", () => {
    const history = new History();
    expect(history.sees(MALFORMED)).toBe("wrong");
    expect(history.sees(1)).toBe("wrong");
    const refused = history.begin("put");
    history.checker.refused(refused);
    expect(history.sees(refused.write)).toBe("wrong");
  });

  test("another run's value is there until this run writes", () => {
    const history = new History();
    expect(history.sees(FOREIGN)).toBeUndefined();
    const read = history.begin("read");
    history.call("put");
    expect(history.sees(FOREIGN, read)).toBeUndefined();
    expect(history.sees(FOREIGN)).toBe("stale");
  });

  test("an absent key is lost only if it was written and nothing can have removed it", () => {
    const history = new History();
    expect(history.seesNone()).toBeUndefined();
    const read = history.begin("read");
    history.call("put");
    expect(history.seesNone(read)).toBeUndefined();
    expect(history.seesNone()).toBe("lost");
    expect(history.seesNone(history.begin("persist"))).toBe("lost");
  });

  test("a delete explains absence, from its beginning on, until the next write", () => {
    const history = new History();
    const first = history.call("put");
    const underWay = history.begin("delete");
    expect(history.seesNone()).toBeUndefined();
    history.done(underWay);
    expect(history.seesNone()).toBeUndefined();
    expect(history.sees(first)).toBe("stale");
    history.call("put");
    expect(history.seesNone()).toBe("lost");
  });

  test("a delete of unknown outcome explains absence for ever, a refused one never", () => {
    const history = new History();
    history.call("put");
    history.checker.refused(history.begin("delete"));
    expect(history.seesNone()).toBe("lost");
    history.begin("delete");
    history.call("put");
    expect(history.seesNone()).toBeUndefined();
  });

  test("an entry is there until its TTL has passed, and not later", () => {
    const history = new History();
    const put = history.begin("put", 500);
    history.nowMs += 100;
    history.done(put);
    history.nowMs = 1490;
    expect(history.seesNone()).toBe("lost");
    history.nowMs = 1500;
    expect(history.seesNone(history.begin("persist"))).toBeUndefined();
    const history2 = new History();
    const write = history2.call("put", 500);
    history2.nowMs = 1502;
    const early = history2.begin("read");
    history2.nowMs = 1503;
    expect(history2.sees(write)).toBe("expired");
    expect(history2.sees(write, early)).toBeUndefined();
  });

  test("what was seen gone does not come back", () => {
    const history = new History();
    const write = history.call("put", 500);
    history.nowMs = 1500;
    expect(history.seesNone()).toBeUndefined();
    expect(history.sees(write)).toBe("stale");
  });

  test("a plain write ends an earlier TTL, but not for a read that began before", () => {
    const history = new History();
    history.call("put", 500);
    history.nowMs = 1600;
    const read = history.begin("read");
    const write = history.call("put");
    expect(history.seesNone(read)).toBeUndefined();
    expect(history.sees(write)).toBeUndefined();
    history.nowMs = 9000;
    expect(history.seesNone()).toBe("lost");
    expect(history.sees(write)).toBeUndefined();
  });

  test("a changed TTL counts from its change", () => {
    const history = new History();
    const write = history.call("put", 500);
    history.nowMs = 1400;
    history.call("expire", 2000);
    history.nowMs = 3000;
    expect(history.sees(write)).toBeUndefined();
    expect(history.seesNone()).toBe("lost");
    history.nowMs = 3400;
    expect(history.sees(write, history.begin("read"))).toBeUndefined();
    history.nowMs = 3410;
    expect(history.sees(write)).toBe("expired");
    const shortened = history.call("put");
    history.call("expire", 200);
    history.nowMs += 300;
    expect(history.sees(shortened)).toBe("expired");
  });

  test("a change of unknown outcome may have been made, or not", () => {
    const history = new History();
    const write = history.call("put", 500);
    history.begin("expire", 5000);
    history.nowMs = 2000;
    expect(history.sees(write)).toBeUndefined();
    expect(history.seesNone()).toBeUndefined();
  });

  test("a persisted entry stays", () => {
    const history = new History();
    const write = history.call("put", 500);
    history.call("persist");
    history.nowMs = 2000;
    expect(history.sees(write)).toBeUndefined();
    expect(history.seesNone()).toBe("lost");
  });
});

/** A true store of one key: each call happens at one instant between its beginning and its end. */
class TrueStore {
  private entry: { write: number; untilMs: number } | undefined;

  constructor(filled: boolean) {
    if (filled) this.entry = { write: FOREIGN, untilMs: Number.POSITIVE_INFINITY };
  }

  /** Gives the write found, or undefined where there is none. */
  apply({ kind, write, ttlMs }: Operation, nowMs: number): number | undefined {
    const untilMs = ttlMs > 0 ? nowMs + ttlMs : Number.POSITIVE_INFINITY;
    if (this.entry && this.entry.untilMs <= nowMs) this.entry = undefined;
    const found = this.entry?.write;
    if (kind === "put") this.entry = { write, untilMs };
    if (kind === "delete") this.entry = undefined;
    if (this.entry && (kind === "expire" || kind === "persist")) this.entry.untilMs = untilMs;
    return found;
  }
}

test("the checker accuses no true store, whatever the order of concurrent calls", () => {
  const action = fc.record({
    does: fc.constantFrom("begin", "begin", "happen", "end", "end", "end", "refuse", "forget"),
    kind: fc.constantFrom(
      "read" as const,
      "read" as const,
      "put" as const,
      "delete" as const,
      "expire" as const,
      "persist" as const,
    ),
    ttlMs: fc.constantFrom(0, 10, 30, 100),
    which: fc.nat(5),
    passMs: fc.constantFrom(0, 0, 1, 5, 20),
  });
  const property = fc.property(fc.boolean(), fc.array(action, { maxLength: 120, size: "max" }), (filled, actions) => {
    const { checker } = new History();
    const store = new TrueStore(filled);
    const underWay: { op: Operation; happened?: { found: number | undefined }; forgotten?: true }[] = [];
    let nowMs = 1000;
    for (const { does, kind, ttlMs, which, passMs } of actions) {
      nowMs += passMs;
      const call = underWay[which % Math.max(underWay.length, 1)];
      if (does === "begin" && underWay.length < 6) {
        const expires = kind === "expire" ? Math.max(ttlMs, 10) : kind === "put" ? ttlMs : 0;
        const op = Object.assign(new Operation(), { kind, ttlMs: expires });
        checker.begin(op, nowMs);
        underWay.push({ op });
      } else if (call && does === "forget") call.forgotten = true;
      else if (call && does !== "begin") {
        if (does === "refuse" && !call.happened && !call.forgotten) checker.refused(call.op);
        else {
          call.happened ??= { found: store.apply(call.op, nowMs) };
          if (does !== "end") continue;
          if (!call.forgotten) expect(answer(checker, call.op, call.happened.found, nowMs)).toBeUndefined();
        }
        underWay.splice(underWay.indexOf(call), 1);
      }
    }
  });
  fc.assert(property, { numRuns: 2000 });
});

/** Tells the checker what a call found. */
function answer(checker: Checker, op: Operation, found: number | undefined, nowMs: number) {
  if (op.kind === "read") return found === undefined ? checker.absent(op, nowMs) : checker.value(op, found);
  if (found === undefined && (op.kind === "expire" || op.kind === "persist")) return checker.absent(op, nowMs);
  checker.done(op, nowMs);
  return undefined;
}

const contents = { namespace: "n", run: "0123abcd", valueBytes: 40 };
const oneKey = new Keys("uniform", 1);

/** An answer with whatever of a tag and a value it has. */
function answerOf(status: number, tag = "", value: Buffer = Buffer.of()): ResponseReader {
  const reader = new ResponseReader();
  const head = `HTTP/1.1 ${status} X\r\n${tag && `ETag: "${tag}"\r\n`}Content-Length: ${value.length}\r\n\r\n`;
  reader.feed(Buffer.concat([Buffer.from(head), value]));
  return reader;
}

function markedValue(write: number): Buffer {
  const value = Buffer.alloc(contents.valueBytes);
  fillValue(value, 0, contents.run, write);
  return value;
}

describe("counters", () => {
  /** The counter's calls, with the answers that the test gives. */
  class Counter {
    readonly calls = new Counters(oneKey, contents);

    constructor() {
      const op = new Operation();
      this.calls.fill(op, 0);
      this.calls.begin(op);
      expect(this.calls.judge(op, answerOf(204, "1"))).toBe("true");
    }

    reads(value: number, op = new Operation()) {
      this.calls.next(op);
      this.calls.begin(op);
      return { op, verdict: this.calls.judge(op, answerOf(200, `${value}`, markedValue(value))) };
    }

    /** Begins to replace what was read. */
    swaps(op: Operation): Operation {
      this.calls.next(op);
      expect(this.calls.begin(op).toString()).toContain(`If-Match: "${op.write - 1}"\r\n`);
      return op;
    }

    ends(op: Operation, status: number) {
      return this.calls.judge(op, answerOf(status, status === 204 ? `${op.write}` : ""));
    }

    lastLook(value: number) {
      const op = new Operation();
      this.calls.last(op, 0);
      this.calls.begin(op);
      return this.calls.judge(op, answerOf(200, `${value}`, markedValue(value)));
    }
  }

  test("increments add up", () => {
    const counter = new Counter();
    expect(counter.reads(1).verdict).toBe("true");
    expect(counter.ends(counter.swaps(counter.reads(1).op), 204)).toBe("true");
    expect(counter.reads(2).verdict).toBe("true");
    expect(counter.lastLook(2)).toBe("true");
  });

  test("two that replace one value lose an increment", () => {
    const counter = new Counter();
    const swaps = [counter.reads(1).op, counter.reads(1).op].map((op) => counter.swaps(op));
    for (const op of swaps) expect(counter.ends(op, 204)).toBe("true");
    expect(counter.reads(2).verdict).toBe("stale");
    expect(counter.lastLook(2)).toBe("lost");
  });

  test("an increment that was answered as not done must not show, one of unknown outcome may", () => {
    const counter = new Counter();
    const [first, second] = [counter.reads(1).op, counter.reads(1).op].map((op) => counter.swaps(op)) as [
      Operation,
      Operation,
    ];
    expect(counter.ends(first, 412)).toBe("true");
    expect(counter.reads(2).verdict).toBe("true");
    expect(counter.reads(1).verdict).toBe("true");
    expect(counter.lastLook(3)).toBe("wrong");
    counter.calls.refused(second);
    expect(counter.reads(2).verdict).toBe("wrong");
    expect(counter.lastLook(1)).toBe("true");
  });

  test("a condition fails only if somebody else can have been first", () => {
    const counter = new Counter();
    expect(counter.ends(counter.swaps(counter.reads(1).op), 412)).toBe("wrong");
  });

  test("a value that is missing is lost, another run's is wrong", () => {
    const counter = new Counter();
    const op = new Operation();
    counter.calls.next(op);
    counter.calls.begin(op);
    expect(counter.calls.judge(op, answerOf(404))).toBe("lost");
    const other = Buffer.alloc(contents.valueBytes);
    fillValue(other, 0, "other678", 1);
    expect(counter.calls.judge(op, answerOf(200, "1", other))).toBe("wrong");
  });
});

describe.each([
  [
    "increments",
    `POST /v1/kv/${contents.namespace}/k00000000/increment `,
    (n: number) => `{"value":"${n}","etag":"x"}`,
  ],
  ["limiter", `POST /redis/${contents.namespace}/eval/`, (n: number) => `{"result":${n}}`],
] as const)("%s", (name, start, answer) => {
  /** The counter's calls, with the answers that the test gives. */
  class Counter {
    readonly calls = new Increments(oneKey, contents, name);

    constructor() {
      const op = new Operation();
      this.calls.fill(op, 0);
      this.calls.begin(op);
      expect(this.calls.judge(op, answerOf(204, "1"))).toBe("true");
    }

    begins(): Operation {
      const op = new Operation();
      this.calls.next(op);
      expect(this.calls.begin(op).toString()).toStartWith(start);
      return op;
    }

    ends(op: Operation, value: number) {
      return this.calls.judge(op, answerOf(200, "", Buffer.from(answer(value))));
    }

    lastLook(value: number) {
      const op = new Operation();
      this.calls.last(op, 0);
      this.calls.begin(op);
      return this.calls.judge(op, answerOf(200, "1", Buffer.from(String(value))));
    }
  }

  test("add up in any order", () => {
    const counter = new Counter();
    const [first, second] = [counter.begins(), counter.begins()];
    expect(counter.ends(second, 1)).toBe("true");
    expect(counter.ends(first, 2)).toBe("true");
    expect(counter.lastLook(2)).toBe("true");
  });

  test("one that is lost shows in the next answer and at the end", () => {
    const counter = new Counter();
    expect(counter.ends(counter.begins(), 1)).toBe("true");
    expect(counter.ends(counter.begins(), 1)).toBe("stale");
    expect(counter.lastLook(1)).toBe("lost");
  });

  test("one that happened twice is wrong, one of unknown outcome may have happened once", () => {
    const counter = new Counter();
    expect(counter.ends(counter.begins(), 2)).toBe("wrong");
    const refused = counter.begins();
    expect(counter.lastLook(2)).toBe("true");
    expect(counter.lastLook(3)).toBe("wrong");
    counter.calls.refused(refused);
    expect(counter.lastLook(2)).toBe("wrong");
    expect(counter.lastLook(1)).toBe("true");
  });
});

describe("locks", () => {
  /** A lock's calls, at times that the test sets, with the answers that it gives. */
  class Lock {
    nowMs = 10_000;
    /** What runs before have left has expired. */
    readonly calls = new Locks(oneKey, contents, 0);

    begins(kind: "put" | "read" | "delete", op = new Operation()): Operation {
      Object.assign(op, { kind, key: 0, ttlMs: 500 });
      this.calls.begin(op, this.nowMs);
      return op;
    }

    ends(op: Operation, status: number, value?: Buffer) {
      return this.calls.judge(op, answerOf(status, `${op.write}`, value), this.nowMs);
    }

    /** Gives it to somebody. */
    given(): Operation {
      const op = this.begins("put");
      expect(this.ends(op, 204)).toBe("true");
      return op;
    }
  }

  test("has one holder at a time", () => {
    const lock = new Lock();
    const holder = lock.given();
    expect(lock.ends(lock.begins("put"), 412)).toBe("true");
    const early = lock.begins("put");
    expect(lock.ends(lock.begins("put"), 204)).toBe("shared");
    lock.nowMs += 490;
    expect(lock.ends(early, 204)).toBe("shared");
    expect(holder.write).toBe(1);
  });

  test("may be given anew once its release has begun, or its TTL can have passed", () => {
    const lock = new Lock();
    lock.begins("delete", lock.given());
    expect(lock.ends(lock.begins("put"), 204)).toBe("true");
    lock.nowMs += 500;
    expect(lock.ends(lock.begins("put"), 204)).toBe("true");
  });

  test("is not taken from its holder before its time", () => {
    const lock = new Lock();
    const holder = lock.given();
    const look = lock.begins("read", holder);
    expect(lock.ends(look, 200, markedValue(1))).toBe("true");
    expect(lock.ends(look, 404)).toBe("lost");
    lock.begins("put");
    expect(lock.ends(look, 200, markedValue(2))).toBe("shared");
    lock.nowMs += 490;
    expect(lock.ends(lock.begins("delete", holder), 412)).toBe("lost");
    lock.nowMs += 10;
    expect(lock.ends(holder, 412)).toBe("true");
  });

  test("is not there after its time", () => {
    const lock = new Lock();
    const holder = lock.given();
    lock.nowMs += 503;
    expect(lock.ends(lock.begins("read", holder), 200, markedValue(1))).toBe("expired");
    expect(lock.ends(lock.begins("delete", holder), 204)).toBe("expired");
  });

  test("is given to whoever wants it while nobody else does", () => {
    const lock = new Lock();
    expect(lock.ends(lock.begins("put"), 412)).toBe("expired");
    expect(lock.ends(lock.begins("delete", lock.given()), 204)).toBe("true");
    expect(lock.ends(lock.begins("put"), 412)).toBe("wrong");
    const contended = lock.begins("put");
    lock.begins("put");
    expect(lock.ends(contended, 412)).toBe("true");
  });
});

/** A true store of one key that reads requests as they are sent. */
class TrueServer {
  private entry: { value: Buffer; tag: number; untilMs: number } | undefined;
  private tags = 0;

  apply(request: string, nowMs: number): ResponseReader {
    if (this.entry && this.entry.untilMs <= nowMs) this.entry = undefined;
    const found = this.entry;
    const ifMatch = /^If-Match: "(\d+)"\r$/m.exec(request)?.[1];
    const fails = /^If-None-Match: \*\r$/m.test(request) ? found : ifMatch && ifMatch !== String(found?.tag);
    if (fails) return answerOf(412);
    if (request.startsWith("GET")) return found ? answerOf(200, `${found.tag}`, found.value) : answerOf(404);
    if (request.startsWith("DELETE")) {
      this.entry = undefined;
      return answerOf(204);
    }
    if (request.startsWith("POST")) {
      const value = String(Number(found?.value ?? 0) + 1);
      this.entry = { value: Buffer.from(value), tag: ++this.tags, untilMs: Number.POSITIVE_INFINITY };
      return answerOf(200, "", Buffer.from(`{"value":"${value}"}`));
    }
    const ttlMs = Number(/\?ttl_ms=(\d+)/.exec(request)?.[1] ?? Number.POSITIVE_INFINITY);
    const value = Buffer.from(request.slice(request.indexOf("\r\n\r\n") + 4));
    this.entry = { value, tag: ++this.tags, untilMs: nowMs + ttlMs };
    return answerOf(204, `${this.tags}`);
  }
}

test.each([
  ["counters", () => new Counters(oneKey, contents)],
  ["increments", () => new Increments(oneKey, contents, "increments")],
  ["locks", () => new Locks(oneKey, contents, 1000)],
])("%s accuse no true store, whatever the order of concurrent calls", (_, make: () => Calls) => {
  const action = fc.record({
    does: fc.constantFrom("begin", "begin", "happen", "end", "end", "end", "refuse", "forget"),
    which: fc.nat(5),
    passMs: fc.constantFrom(0, 0, 1, 5, 20, ...LOCK_TTLS_MS),
  });
  const property = fc.property(fc.array(action, { maxLength: 200, size: "max" }), (actions) => {
    const calls = make();
    const server = new TrueServer();
    const idle = Array.from({ length: 6 }, () => new Operation());
    const underWay: { op: Operation; request: string; answer?: ResponseReader; forgotten?: true }[] = [];
    const verdicts = new Set<string>();
    let nowMs = 1000;
    for (const op of idle.slice(0, calls.keys)) {
      calls.fill(op, 0);
      verdicts.add(calls.judge(op, server.apply(calls.begin(op, nowMs).toString(), nowMs), nowMs));
    }
    for (const { does, which, passMs } of actions) {
      nowMs += passMs;
      const call = underWay[which % Math.max(underWay.length, 1)];
      if (does === "begin") {
        const op = idle.pop();
        if (!op) continue;
        calls.next(op);
        underWay.push({ op, request: calls.begin(op, nowMs).toString() });
      } else if (call && does === "refuse") {
        if (call.answer || call.forgotten) continue;
        calls.refused(call.op);
        idle.push(call.op);
        underWay.splice(underWay.indexOf(call), 1);
      } else if (call) {
        // It happens some time, or never, but its connection goes on.
        if (does === "forget" && !call.forgotten) idle.push(call.op);
        if (does === "forget") call.forgotten = true;
        else call.answer ??= server.apply(call.request, nowMs);
        if (does !== "end") continue;
        if (!call.forgotten) {
          verdicts.add(calls.judge(call.op, call.answer as ResponseReader, nowMs));
          idle.push(call.op);
        }
        underWay.splice(underWay.indexOf(call), 1);
      }
    }
    expect([...verdicts].filter((verdict) => verdict !== "true")).toEqual([]);
  });
  fc.assert(property, { numRuns: 2000 });
});

describe("value", () => {
  const expected = { key: 7, run: "0123abcd", valueBytes: 100 };
  const value = Buffer.alloc(100);
  fillValue(value, 7, "0123abcd", 42);

  test("names its write, key and run", () => {
    expect(writeOf(value, 0, 100, expected)).toBe(42);
    expect(writeOf(value, 0, 100, { ...expected, key: 8 })).toBe(MALFORMED);
    expect(writeOf(value, 0, 100, { ...expected, run: "other678" })).toBe(FOREIGN);
  });

  test("is malformed when cut off, longer, or changed anywhere", () => {
    for (let length = 0; length < 100; length++) expect(writeOf(value, 0, length, expected)).toBe(MALFORMED);
    expect(writeOf(Buffer.concat([value, value.subarray(4, 5)]), 0, 101, expected)).toBe(MALFORMED);
    const newer = Buffer.alloc(100);
    fillValue(newer, 7, "0123abcd", 43);
    for (let cut = 32; cut < 96; cut++) {
      const mixed = Buffer.concat([value.subarray(0, cut), newer.subarray(cut)]);
      expect(writeOf(mixed, 0, 100, expected)).toBe(mixed.equals(value) ? 42 : MALFORMED);
    }
  });
});

test("the Zipfian distribution is skewed as YCSB's is, and stays within the keys", () => {
  const DRAWS = 200_000;
  for (const keys of [1, 10, 10_000, 10_000_000]) {
    const counts = new Map<number, number>();
    for (let i = 0; i < DRAWS; i++) {
      const key = scrambledZipfian(keys);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect([...counts.keys()].every((key) => Number.isInteger(key) && key >= 0 && key < keys)).toBe(true);
    const [first = 0, second = 0] = [...counts.values()].toSorted((a, b) => b - a);
    if (keys < 10_000) continue;
    // 1 / zeta and half of it; each lies within a percent of DRAWS unless something is broken.
    expect(Math.abs(first / DRAWS - 0.0378)).toBeLessThan(0.01);
    expect(Math.abs(second / DRAWS - 0.019)).toBeLessThan(0.01);
  }
});

describe("response reader", () => {
  const withBody = Buffer.from('HTTP/1.1 200 OK\r\nETag: "x"\r\ncontent-LENGTH: 5\r\nDate: now\r\n\r\nhe\r\no');
  const without = Buffer.from('HTTP/1.1 204 No Content\r\nETag: "y"\r\nConnection: close\r\n\r\n');

  test("reads answers split at every byte, and byte by byte", () => {
    const reader = new ResponseReader();
    const check = (bytes: Buffer) => {
      if (bytes === withBody) {
        const { status, closes, bodyStart, bodyEnd } = reader;
        expect([status, closes, reader.bytes.toString("utf8", bodyStart, bodyEnd)]).toEqual([200, false, "he\r\no"]);
      } else expect([reader.status, reader.closes, reader.bodyStart]).toEqual([204, true, reader.bodyEnd]);
    };
    for (const bytes of [withBody, without]) {
      for (let cut = 1; cut < bytes.length; cut++) {
        expect(reader.feed(bytes.subarray(0, cut))).toBe(false);
        expect(reader.feed(bytes.subarray(cut))).toBe(true);
        check(bytes);
      }
      for (let i = 0; i < bytes.length; i++) expect(reader.feed(bytes.subarray(i, i + 1))).toBe(i === bytes.length - 1);
      check(bytes);
    }
  });

  test("finds an entity tag, and no body after HEAD", () => {
    const reader = new ResponseReader();
    reader.feed(withBody);
    expect(reader.bytes.toString("latin1", reader.etagStart, reader.etagEnd)).toBe('"x"');
    reader.toHead = true;
    expect(reader.feed(withBody.subarray(0, -5))).toBe(true);
    expect(reader.bodyStart).toBe(reader.bodyEnd);
    reader.feed(Buffer.from("HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n"));
    expect(reader.etagStart).toBe(reader.etagEnd);
  });

  test.each([
    ["another protocol", "HTTP/1.0 200 OK\r\n\r\n"],
    ["an interim answer", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["no length", "HTTP/1.1 200 OK\r\n\r\n"],
    ["a malformed length", "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
    ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["more than one answer", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"],
  ])("refuses %s", (_, text) => {
    expect(() => new ResponseReader().feed(Buffer.from(text))).toThrow(ProtocolError);
  });
});

describe("runs", () => {
  const short = { keys: 50, seconds: 1, warmup: 0, valueBytes: 64 };

  test.each([
    ["a", { clients: [2, 8] }],
    ["ttl", { clients: [8] }],
    ["b", { clients: [8], rate: 50 }],
    ["counters", { clients: [8] }],
    ["increments", { clients: [8], keys: 3 }],
    ["limiter", { clients: [8], keys: 3 }],
    ["if-match", { clients: [8] }],
    ["all-kinds", { clients: [8] }],
    ["locks", { clients: [8], keys: 3 }],
  ] as const)("workload %s finds no violation in the real server", async (workload, options) => {
    const result = await runLoad({
      ...short,
      ...options,
      clients: [...options.clients],
      url: targets.vitess.url,
      namespace: `load-${process.pid}-${Date.now()}`,
      workload,
    });
    expect(result.examples).toEqual([]);
    expect(result.violations).toBe(0);
    expect(result.steps.map(({ clients, connections }) => [clients, connections])).toEqual(
      options.clients.map((clients) => [clients, clients]),
    );
    for (const { reads, writes, errors } of result.steps) {
      expect(reads.count + writes.count).toBeGreaterThan(0);
      expect(errors).toEqual({});
    }
  });

  // A fake, since the store can't be made to lie: it stores nothing but the first value of each key.
  test("a server that serves old values is caught, and the exit code says so", async () => {
    const first = new Map<string, ArrayBuffer>();
    const liar = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const { pathname } = new URL(request.url);
        if (request.method !== "PUT") return new Response(first.get(pathname), { status: 200 });
        const value = await request.arrayBuffer();
        if (!first.has(pathname)) first.set(pathname, value);
        return new Response(null, { status: 204 });
      },
    });
    const file = join(tmpdir(), `load-${process.pid}`);
    const args = `--url ${liar.url.href} --workload a --keys 1 --clients 2 --seconds 1 --warmup 0 --json ${file}.json`;
    const run = await $`${process.execPath} ${LOAD} ${{ raw: `${args} --svg ${file}.svg` }}`.nothrow().quiet();
    await liar.stop(true);
    const result: LoadResult = await Bun.file(`${file}.json`).json();
    const svg = await Bun.file(`${file}.svg`).text();
    for (const written of [`${file}.json`, `${file}.svg`]) rmSync(written);
    expect(run.exitCode).toBe(1);
    expect(run.stdout.toString()).toContain("VIOLATIONS");
    expect(svg).toStartWith("<svg");
    expect(result.steps[0]?.violations).toMatchObject({ wrong: 0, lost: 0, expired: 0 });
    expect(result.steps[0]?.violations.stale).toBeGreaterThan(0);
    expect(result.examples[0]).toStartWith("stale: read of k0");
  });

  /** Runs a workload against a store of any number of keys that looks first, and writes a moment later. */
  async function againstCareless(workload: "counters" | "locks"): Promise<LoadResult> {
    const entries = new Map<string, { value: ArrayBuffer; tag: number }>();
    let tags = 0;
    const careless = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const { pathname } = new URL(request.url);
        const found = entries.get(pathname);
        const ifMatch = request.headers.get("If-Match");
        if ((request.headers.has("If-None-Match") && found) || (ifMatch && ifMatch !== `"${found?.tag}"`)) {
          return new Response("{}", { status: 412 });
        }
        if (request.method === "GET") return new Response(found?.value, { headers: { ETag: `"${found?.tag}"` } });
        const value = await request.arrayBuffer();
        await Bun.sleep(1);
        const tag = ++tags;
        if (request.method === "PUT") entries.set(pathname, { value, tag });
        else entries.delete(pathname);
        return new Response(null, { status: 204, headers: { ETag: `"${tag}"` } });
      },
    });
    const result = await runLoad({ ...short, url: careless.url.href, workload, keys: 2, clients: [8] });
    await careless.stop(true);
    return result;
  }

  test("counters and locks of a server that does not swap in one step are caught", async () => {
    const counters = await againstCareless("counters");
    expect(counters.steps[0]?.violations.stale).toBeGreaterThan(0);
    expect(counters.steps[0]?.violations.lost).toBe(2);
    const locks = await againstCareless("locks");
    expect(locks.steps[0]?.violations.shared).toBeGreaterThan(0);
    expect(locks.examples.join()).toContain("shared: put of l");
  });

  test("another machine, and a server that is not there, are refused", async () => {
    await expect(runLoad({ url: "http://192.0.2.1:80" })).rejects.toThrow("loopback");
    await expect(runLoad({ url: "http://127.0.0.1:1" })).rejects.toThrow("No server answers");
  });
});
