// The load simulator: its checker finds every kind of false answer and accuses no true one, and it says so when it
// runs against a server.

import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import fc from "fast-check";
import { Checker, Operation } from "../bench/load/checker.ts";
import { ProtocolError, ResponseReader } from "../bench/load/http-response.ts";
import { type LoadResult, runLoad } from "../bench/load/run.ts";
import { FOREIGN, fillValue, MALFORMED, writeOf } from "../bench/load/value.ts";
import { scrambledZipfian } from "../bench/load/zipfian.ts";
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
    ["a", { processes: 2, clients: [2, 8] }],
    ["ttl", { clients: [8] }],
    ["b", { clients: [8], rate: 50 }],
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

  test("another machine, and a server that is not there, are refused", async () => {
    await expect(runLoad({ url: "http://192.0.2.1:80" })).rejects.toThrow("loopback");
    await expect(runLoad({ url: "http://127.0.0.1:1" })).rejects.toThrow("No server answers");
  });
});
