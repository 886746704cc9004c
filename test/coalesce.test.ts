// The coalescing layer by itself, over a store whose statements end when the test says so (a fake, to force an order
// of events), and then over the real one with a wrong map of shards.

import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "../src/database/connect.ts";
import { shardAt, watchShards, wholeMap } from "../src/database/shards.ts";
import { LARGE_BATCH_ROWS } from "../src/limits.ts";
import { type CoalesceOptions, CoalescingStore } from "../src/store/coalesce.ts";
import { StoreError } from "../src/store/error.ts";
import { SqlStore } from "../src/store/sql.ts";
import type { BatchStore, Entry, EntryKey, NewEntry, Put } from "../src/store/store.ts";
import { entryKey, keyName } from "../src/store/store.ts";
import { shardNames } from "../vitess/topology.ts";
import { targets, whileLocked } from "./targets.ts";

const OPTIONS: CoalesceOptions = {
  statements: { reads: 1, writes: 1 },
  batchRows: 100,
  batchBytes: 10_000,
  maxCalls: 1000,
  maxBytes: 100_000,
  deadlineMs: 10_000,
  shardOf: () => "",
};

const key = (name: string) => entryKey("ns", name);
const entry = (value: string): NewEntry => ({
  value: Buffer.from(value),
  contentType: "text/plain",
  metadata: null,
  expiry: "never",
});

/** A statement that has been sent and has not ended. */
interface Sent {
  name: string;
  keys: string[];
  puts: Put[];
  end: (error?: StoreError) => void;
}

/** Holds entries in memory; a statement takes effect when the test ends it. */
class DeferredStore implements BatchStore {
  readonly sent: Sent[] = [];
  /** Keys that read as expired; where they are looked at again, a writer holds their rows. */
  readonly expired = new Set<string>();
  /** Keys whose values are larger than their share of a statement. */
  readonly large = new Set<string>();
  private readonly values = new Map<string, string>();

  private defer<R>(name: string, keys: EntryKey[], effect: () => R, puts: Put[] = []): Promise<R> {
    return new Promise((resolve, reject) => {
      const end = (error?: StoreError) => (error ? reject(error) : resolve(effect()));
      this.sent.push({ name, keys: keys.map((each) => each.toString().slice(3)), puts, end });
    });
  }

  private find(each: EntryKey): Entry | null {
    const value = this.values.get(each.toString());
    if (value === undefined) return null;
    const bytes = Buffer.from(value);
    return { value: bytes, version: "v", contentType: "", metadata: null, valueBytes: bytes.length, expiry: null };
  }

  getMany(keys: EntryKey[]) {
    return this.defer("get", keys, () => {
      const found = new Map<string, Entry | "expired" | "large">();
      for (const each of keys) {
        const isLarge = this.large.has(each.toString().slice(3));
        const entry = this.isExpired(each) ? "expired" : isLarge ? "large" : this.find(each);
        if (entry) found.set(keyName(each), entry);
      }
      return found;
    });
  }
  confirmMany(keys: EntryKey[]) {
    return this.defer("confirm", keys, () => {
      const free = keys.filter((each) => !this.isExpired(each));
      return new Map(free.map((each) => [keyName(each), this.find(each)]));
    });
  }
  private isExpired(each: EntryKey) {
    return this.expired.has(each.toString().slice(3));
  }
  putMany(puts: Put[]) {
    const store = () => {
      for (const put of puts) this.values.set(put.key.toString(), put.entry.value.toString());
    };
    return this.defer(
      "put",
      puts.map((put) => put.key),
      store,
      puts,
    );
  }
  deleteMany(keys: EntryKey[]) {
    return this.defer("delete", keys, () => {
      for (const each of keys) this.values.delete(each.toString());
    });
  }
  get(each: EntryKey) {
    return this.defer("get alone", [each], () => this.find(each));
  }
  head(each: EntryKey) {
    return this.get(each);
  }
  put(each: EntryKey) {
    return this.defer("conditional put", [each], () => "version");
  }
  delete(each: EntryKey) {
    return this.defer("conditional delete", [each], () => true);
  }
  expire(each: EntryKey) {
    return this.defer("expire", [each], () => ({ outcome: "absent" as const }));
  }
  persist(each: EntryKey) {
    return this.defer("persist", [each], () => true);
  }
  ping() {
    return Promise.resolve();
  }
}

function make(options: Partial<CoalesceOptions> = {}) {
  const below = new DeferredStore();
  return { below, store: new CoalescingStore(below, { ...OPTIONS, ...options }) };
}

/** Lets everything happen that waits for nothing but the event loop. */
async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("coalescing", () => {
  test("the first call leaves at once; those that arrive meanwhile become one statement", async () => {
    const { below, store } = make();
    const first = store.get(key("a"));
    await settle();
    const others = ["b", "c", "b"].map((name) => store.get(key(name)));
    await settle();
    expect(below.sent.map(({ keys }) => keys)).toEqual([["a"]]);
    below.sent[0]?.end();
    expect(await first).toBe(null);
    await settle();
    expect(below.sent.map(({ keys }) => keys)).toEqual([["a"], ["b", "c"]]);
    below.sent[1]?.end();
    expect(await Promise.all(others)).toEqual([null, null, null]);
  });

  test("a read never joins a statement that has been sent", async () => {
    const { below, store } = make();
    const before = store.get(key("a"));
    await settle();
    const write = store.put(key("a"), entry("new"));
    await settle();
    below.sent[1]?.end();
    await write;
    const after = store.get(key("a"));
    await settle();
    expect(below.sent.map(({ name }) => name)).toEqual(["get", "put"]);
    below.sent[0]?.end();
    await before;
    await settle();
    below.sent[2]?.end();
    expect((await after)?.value.toString()).toBe("new");
  });

  test("of two writes of a key the last is sent, and each caller has a version of its own", async () => {
    const { below, store } = make();
    const versions = ["one", "two", "three"].map((value) => store.put(key("a"), entry(value)));
    await settle();
    expect(below.sent.length).toBe(1);
    const [put] = below.sent[0]?.puts ?? [];
    expect(put?.entry.value.toString()).toBe("three");
    below.sent[0]?.end();
    const settled = await Promise.all(versions);
    expect(new Set(settled).size).toBe(3);
    expect(put?.version).toBe(settled[2] as string);
  });

  test("writes of one key that can't go together go in the order of arrival; other keys don't wait", async () => {
    const { below, store } = make();
    const calls = [
      store.put(key("a"), entry("1")),
      store.put(key("a"), entry("2")),
      store.delete(key("a")),
      store.expire(key("a"), { afterMs: 1 }),
      store.persist(key("a")),
      store.put(key("a"), entry("3"), { ifMatch: "*" }),
      store.put(key("a"), entry("4")),
      store.put(key("b"), entry("5")),
      store.delete(key("c"), "*"),
    ];
    const order: string[] = [];
    for (let i = 0; i < 7; i++) {
      await settle();
      const statement = below.sent[i] as Sent;
      order.push(`${statement.name} ${statement.keys.join()}`);
      statement.end();
    }
    await Promise.all(calls);
    expect(order.filter((line) => line.endsWith(" a") || line.includes("a,"))).toEqual([
      "put a,b",
      "delete a",
      "expire a",
      "persist a",
      "conditional put a",
      "put a",
    ]);
    expect(order).toContain("conditional delete c");
  });

  test("a statement holds no more rows and bytes than it may", async () => {
    const { below, store } = make({ batchRows: 3, batchBytes: 1000 });
    const rows = Array.from({ length: 7 }, (_, i) => store.get(key(`row ${i}`)));
    const large = Array.from({ length: 3 }, (_, i) => store.put(key(`large ${i}`), entry("x".repeat(600))));
    for (let i = 0; i < 6; i++) {
      await settle();
      below.sent[i]?.end();
    }
    await Promise.all([...rows, ...large]);
    const sizes = (name: string) => below.sent.filter((each) => each.name === name).map(({ keys }) => keys.length);
    expect(sizes("get")).toEqual([3, 3, 1]);
    expect(sizes("put")).toEqual([1, 1, 1]);
  });

  test("reads that find their entry expired look again together, and keep no other read waiting", async () => {
    const { below, store } = make();
    for (const name of ["a", "b"]) below.expired.add(name);
    const calls = ["a", "b", "c", "b"].map((name) => store.get(key(name)));
    await settle();
    below.sent[0]?.end();
    expect(await calls[2]).toBe(null);
    const next = store.get(key("d"));
    await settle();
    expect(below.sent.slice(1).map(({ name, keys }) => [name, ...keys])).toEqual([
      ["confirm", "a", "b"],
      ["get", "d"],
    ]);
    // A writer holds b's row: its readers wait apart from all others, and together.
    below.expired.delete("a");
    for (const { end } of below.sent.slice(1)) end();
    expect(await Promise.all([calls[0], next])).toEqual([null, null]);
    await settle();
    expect(below.sent.slice(3).map(({ name, keys }) => [name, ...keys])).toEqual([["get alone", "b"]]);
    below.sent[3]?.end();
    expect(await Promise.all(calls)).toEqual([null, null, null, null]);
  });

  test("values larger than their share of a statement are read again, a few at once and at last alone", async () => {
    const { below, store } = make();
    const names = Array.from({ length: LARGE_BATCH_ROWS + 1 }, (_, i) => `k${i}`);
    for (const name of names) below.large.add(name);
    const calls = ["small", ...names].map((name) => store.get(key(name)));
    await settle();
    below.sent[0]?.end();
    expect(await calls[0]).toBe(null);
    await settle();
    expect(below.sent.slice(1).map(({ keys }) => keys)).toEqual([names.slice(0, -1), names.slice(-1)]);
    for (const { end } of below.sent.slice(1)) end();
    await settle();
    const alone = below.sent.slice(3);
    expect(alone.map(({ name, keys }) => [name, ...keys])).toEqual(names.map((name) => ["get alone", name]));
    for (const { end } of alone) end();
    expect(await Promise.all(calls)).toEqual(calls.map(() => null));
  });

  test("what waits for others on its key past the deadline is never sent", async () => {
    const { below, store } = make({ deadlineMs: 100 });
    const calls = Array.from({ length: 20 }, () => store.put(key("a"), entry("v"), { ifMatch: "*" }));
    const outcomes = await Promise.allSettled(calls);
    const sent = below.sent.length;
    expect(sent).toBeLessThan(20);
    expect(outcomes.map((each) => each.status === "rejected" && each.reason.code)).toEqual([
      ...Array(sent).fill("outcome_unknown"),
      ...Array(20 - sent).fill("unavailable"),
    ]);
    for (const { end } of below.sent) end();
    await settle();
    expect(below.sent.length).toBe(sent);
  });

  test("each shard has statements of its own", async () => {
    const { below, store } = make({ shardOf: (each) => each.toString().slice(-1) });
    const calls = ["a1", "a2", "b1", "b2"].map((name) => store.get(key(name)));
    await settle();
    expect(below.sent.map(({ keys }) => keys)).toEqual([
      ["a1", "b1"],
      ["a2", "b2"],
    ]);
    for (const { end } of below.sent) end();
    await Promise.all(calls);
  });

  test("a statement that the database refuses is sent again entry by entry, and fails for one entry alone", async () => {
    const { below, store } = make();
    const good = store.put(key("good"), entry("v"));
    const bad = store.put(key("bad"), entry("v"));
    await settle();
    below.sent[0]?.end(new StoreError("internal", "refused"));
    await settle();
    expect(below.sent.slice(1).map(({ keys }) => keys)).toEqual([["good"], ["bad"]]);
    below.sent[1]?.end();
    below.sent[2]?.end(new StoreError("internal", "refused"));
    expect(await good).toMatch(/^[0-9a-f]{32}$/);
    await expect(bad).rejects.toMatchObject({ code: "internal" });
  });

  test.each(["outcome_unknown", "unavailable"] as const)(
    "%s is every caller's answer, and nothing is sent again",
    async (code) => {
      const { below, store } = make();
      const calls = [store.put(key("a"), entry("v")), store.put(key("b"), entry("v"))];
      await settle();
      const outcomes = Promise.allSettled(calls);
      below.sent[0]?.end(new StoreError(code, "lost"));
      expect(await outcomes).toMatchObject(calls.map(() => ({ status: "rejected", reason: { code } })));
      await settle();
      expect(below.sent.length).toBe(1);
    },
  );

  test("the call too many, and the byte too many, are turned away at once", async () => {
    const { below, store } = make({ maxCalls: 2, maxBytes: 1000 });
    const first = store.put(key("a"), entry("x".repeat(500)));
    expect(() => store.put(key("b"), entry("x".repeat(600)))).toThrow("overloaded");
    const second = store.get(key("c"));
    expect(() => store.get(key("d"))).toThrow("overloaded");
    await settle();
    for (const { end } of below.sent) end();
    await Promise.all([first, second]);
    const after = store.get(key("e"));
    await settle();
    below.sent[2]?.end();
    expect(await after).toBe(null);
  });

  test("a deadline counts from the arrival and tells what is true: unsent, it did not happen; sent, it may have", async () => {
    const { below, store } = make({ deadlineMs: 100 });
    const sent = store.put(key("a"), entry("1"));
    await settle();
    const queued = store.put(key("b"), entry("2"));
    const read = store.get(key("c"));
    const outcomes = await Promise.allSettled([sent, queued, read]);
    expect(outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : "done"))).toEqual([
      "outcome_unknown",
      "unavailable",
      "unavailable",
    ]);
    below.sent[0]?.end();
    await settle();
    expect(below.sent.filter(({ name }) => name === "put").length).toBe(1);
  });
});

describe("the map of shards", () => {
  test("is taken when it leaves nothing out and nothing twice", () => {
    const names = (shards: string[]) => wholeMap(shards)?.map(({ name }) => name);
    expect(names(["80-", "-40", "40-80"])).toEqual(["-40", "40-80", "80-"]);
    expect(names(["0"])).toEqual(["0"]);
    expect(names(["-"])).toEqual(["-"]);
    expect(names([])).toBeUndefined();
    expect(names(["-40", "80-"])).toBeUndefined();
    expect(names(["-40", "40-80"])).toBeUndefined();
    expect(names(["40-80", "80-"])).toBeUndefined();
    expect(names(["-80", "80-", "80-c0", "c0-"])).toBeUndefined();
  });

  test("finds the shard of each end of each range", () => {
    const shards = wholeMap(shardNames(256)) ?? [];
    expect(shards.length).toBe(256);
    for (const shard of shards) {
      for (const id of [shard.start, shard.end - 1n]) expect(shardAt(shards, id)).toBe(shard);
    }
  });
});

describe("coalescing over Vitess", async () => {
  const database = connect({ url: targets.vitess.databaseUrl, backend: "vitess", connections: 8, queueLimit: 100 });
  const direct = new SqlStore(database, { deadlineMs: 10_000 });
  const names = Array.from({ length: 50 }, (_, i) => `coalesced-${Date.now()}-${i}`);
  afterAll(() => database.close());

  test("the map of shards is vtgate's own", async () => {
    const { shardOf } = await watchShards(database, {
      backend: "vitess",
      keyspace: targets.vitess.status.vtgates[0].database,
      hash: (bytes) => Bun.hash.xxHash64(bytes),
    });
    await Promise.all(names.map((name) => direct.put(key(name), entry(name))));
    const rows = new Map<string, number>();
    for (const name of names) rows.set(shardOf(key(name)), (rows.get(shardOf(key(name))) ?? 0) + 1);
    for (const shard of targets.vitess.status.shards) {
      const there = connect({
        url: targets.vitess.databaseUrl.replace(/kv$/, encodeURIComponent(`kv:${shard}@primary`)),
        backend: "vitess",
        connections: 1,
        queueLimit: 1,
      });
      const wanted = names.map((name) => key(name));
      const found = await there.execute<never[]>(
        {
          name: "count",
          sql: `SELECT 1 FROM entries WHERE \`key\` IN (${wanted.map(() => "?").join()})`,
          params: wanted,
          writes: false,
        },
        5000,
      );
      expect(found.length).toBe(rows.get(shard) ?? 0);
      await there.close();
    }
  });

  test("a read that must wait for a writer keeps no other read waiting", async () => {
    const store = new CoalescingStore(direct, { ...OPTIONS, shardOf: () => "" });
    const name = `locked-${Date.now()}`;
    const url = `${targets.vitess.url}/v1/kv/ns/${name}`;
    const gone = `gone-${name}`;
    for (const each of [name, gone]) await store.put(key(each), { ...entry("v"), expiry: { atMs: 1000 } });
    await whileLocked(url, async (unlock) => {
      const locked = store.get(key(name));
      const others = [gone, ...names].map((each) => store.get(key(each)));
      expect(await Promise.race([locked, Promise.all(others).then(() => "others")])).toBe("others");
      expect(await store.get(key(names[0] as string))).not.toBe(undefined);
      await unlock();
      expect(await locked).toBe(null);
    });
  });

  test("a wrong map of shards costs speed and nothing else", async () => {
    const store = new CoalescingStore(direct, { ...OPTIONS, shardOf: () => "all" });
    const versions = await Promise.all(names.map((name) => store.put(key(name), entry(`new ${name}`))));
    const found = await Promise.all(names.map((name) => store.get(key(name))));
    expect(found.map((each) => each?.version)).toEqual(versions as string[]);
    expect(found.map((each) => each?.value.toString())).toEqual(names.map((name) => `new ${name}`));
    expect(await Promise.all(names.map((name) => store.delete(key(name))))).toEqual(names.map(() => true));
    expect(await Promise.all(names.map((name) => store.get(key(name))))).toEqual(names.map(() => null));
  });
});
