// Lanes, admission and batches over a table whose statements end when the test says so: a fake, to force an order of
// events.

import { describe, expect, test } from "bun:test";
import { ONE_SHARD } from "../database/shards.ts";
import type { Change, Put } from "../database/statements.ts";
import type { Found, Known, Reads, Table } from "../database/table.ts";
import { LARGE_BATCH_ROWS } from "../limits.ts";
import { StoreError, type StoreErrorCode } from "../store/error.ts";
import { type EntryKey, entryKey, keyName, type NewEntry } from "../store/store.ts";
import { newRevision, newVersion, type Revision, versionOf } from "../store/version.ts";
import { type BatchingOptions, batchingStore, type Shards } from "./batching.ts";

const OPTIONS: BatchingOptions = {
  inFlight: { reads: 1, writes: 1 },
  batchRows: 100,
  batchBytes: 10_000,
  maxCalls: 1000,
  maxBytes: 100_000,
  deadlineMs: 10_000,
};
const NOW = 1_000_000;

const key = (name: string) => entryKey("ns", name);
const entry = (value: string, expiry: NewEntry["expiry"] = "never"): NewEntry => ({
  value: Buffer.from(value),
  contentType: "text/plain",
  metadata: null,
  expiry,
});
const named = (each: EntryKey) => each.toString().slice(3);

interface Stored {
  revision: Revision;
  expiresAtMs: number | null;
  value: string;
}

/** A statement that has been sent and has not ended. */
interface Sent {
  name: string;
  keys: string[];
  /** Does what it is for, if that is not told otherwise, and answers or fails. */
  end: (error?: StoreErrorCode, effect?: boolean) => void;
}

class FakeTable {
  readonly sent: Sent[] = [];
  readonly rows = new Map<string, Stored>();
  clockMs = NOW;
  /** Keys whose values are larger than their share of a statement. */
  readonly large = new Set<string>();

  private defer<R>(name: string, keys: EntryKey[], effect: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      const end = (error?: StoreErrorCode, happens = error === undefined) => {
        const result = happens ? effect() : undefined;
        if (error) reject(new StoreError(error, "as the test says"));
        else resolve(result as R);
      };
      this.sent.push({ name, keys: keys.map(named), end });
    });
  }

  read<K extends keyof Reads>(kind: K, keys: EntryKey[]): Promise<Found<Reads[K]>> {
    return this.defer(kind, keys, () => {
      const found = new Map();
      for (const each of keys) {
        const row = this.rows.get(keyName(each));
        const version = row && versionOf(row.revision);
        if (!row || !version) continue;
        const isPast = row.expiresAtMs !== null && row.expiresAtMs <= NOW;
        const value = Buffer.from(row.value);
        const info = { version, value, valueBytes: value.length };
        found.set(keyName(each), isPast ? "expired" : this.large.has(named(each)) ? "large" : info);
      }
      return found;
    });
  }
  known(keys: EntryKey[]): Promise<Known> {
    return this.defer("known", keys, () => {
      const found = keys.flatMap((each) => {
        const row = this.rows.get(keyName(each));
        return row ? [[keyName(each), { revision: row.revision, expiresAtMs: row.expiresAtMs }] as const] : [];
      });
      return { rows: new Map(found), clockMs: this.clockMs };
    });
  }
  put(puts: Put[]) {
    const effect = () => {
      for (const { key, revision, content, expiry } of puts) {
        const expiresAtMs = typeof expiry === "string" ? null : "atMs" in expiry ? expiry.atMs : NOW + expiry.afterMs;
        this.rows.set(keyName(key), { revision, expiresAtMs, value: content.value.toString() });
      }
    };
    return this.defer(
      "put",
      puts.map((put) => put.key),
      effect,
    );
  }
  remove(keys: EntryKey[]) {
    return this.defer("delete", keys, () => {
      for (const each of keys) this.rows.delete(keyName(each));
    });
  }
  change(changes: Change[]) {
    const name = changes[0]?.guard === null ? "create" : changes[0]?.content ? "replace" : "touch";
    const keys = changes.map((change) => change.key);
    return this.defer(name, keys, () => {
      for (const { key, guard, revision, expiresAtMs, content } of changes) {
        const row = this.rows.get(keyName(key));
        if (row?.revision !== guard?.revision || row?.expiresAtMs !== guard?.expiresAtMs) continue;
        const value = content?.value.toString() ?? row?.value ?? "";
        this.rows.set(keyName(key), { revision, expiresAtMs, value });
      }
      return this.revisions(changes);
    });
  }
  reclaim(keys: EntryKey[]) {
    return this.defer("reclaim", keys, () => {
      const expired = keys.filter((each) => (this.rows.get(keyName(each))?.expiresAtMs ?? NOW + 1) <= NOW);
      for (const each of expired) this.rows.delete(keyName(each));
      return expired.length === keys.length;
    });
  }
  lookBack(written: (Put | Change)[]) {
    const keys = written.map((each) => each.key);
    return this.defer("look_back", keys, () => {
      const found = this.revisions(written);
      return written.some(({ key, revision }) => found.get(keyName(key)) === revision) ? found : null;
    });
  }
  private revisions(written: { key: EntryKey }[]): Map<string, Revision> {
    const ids = written.map((each) => keyName(each.key));
    return new Map(ids.flatMap((id) => (this.rows.has(id) ? [[id, (this.rows.get(id) as Stored).revision]] : [])));
  }

  /** Ends the next statements as they are sent, which must have these names. */
  async expectNext(...names: string[]) {
    for (const name of names) {
      await settle();
      const next = this.sent.shift();
      expect(next?.name).toBe(name);
      next?.end();
    }
    await settle();
  }
}

function make(options: Partial<BatchingOptions> = {}, shards: Partial<Shards> = {}) {
  const table = new FakeTable();
  const tableAt = () => table as unknown as Table;
  const over = { ...ONE_SHARD, tableAt, ping: async () => {}, ...shards };
  return { table, store: batchingStore(over, { ...OPTIONS, ...options }) };
}

/** Lets everything happen that waits for nothing but the event loop. */
async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error) => error.code as string,
  );

describe("batches", () => {
  test("the first call leaves at once; those that arrive meanwhile become one statement", async () => {
    const { table, store } = make();
    const first = store.get(key("a"));
    await settle();
    const others = ["b", "c", "b"].map((name) => store.get(key(name)));
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["a"]]);
    table.sent.shift()?.end();
    expect(await first).toBe(null);
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["b", "c"]]);
    table.sent.shift()?.end();
    expect(await Promise.all(others)).toEqual([null, null, null]);
  });

  test("a read never joins a statement that has been sent", async () => {
    const { table, store } = make();
    const before = store.get(key("a"));
    await settle();
    const write = store.put(key("a"), entry("new"));
    await settle();
    table.sent[1]?.end();
    await write;
    const after = store.get(key("a"));
    await settle();
    expect(table.sent.map(({ name }) => name)).toEqual(["entries", "put"]);
    table.sent[0]?.end();
    await before;
    await settle();
    table.sent[2]?.end();
    expect((await after)?.value.toString()).toBe("new");
  });

  test("reads without values share statements of their own", async () => {
    const { table, store } = make();
    const calls = [store.head(key("a")), store.head(key("b")), store.get(key("a"))];
    await settle();
    expect(table.sent.map(({ name, keys }) => [name, ...keys])).toEqual([
      ["infos", "a", "b"],
      ["entries", "a"],
    ]);
    for (const { end } of table.sent) end();
    expect(await Promise.all(calls)).toEqual([null, null, null]);
  });

  test("a statement holds no more rows and bytes than it may; a key is one row however many callers it has", async () => {
    const { table, store } = make({ batchRows: 3, batchBytes: 1000 });
    const rows = Array.from({ length: 7 }, (_, i) => store.get(key(`row ${i}`)));
    const large = Array.from({ length: 3 }, (_, i) => store.put(key(`large ${i}`), entry("x".repeat(600))));
    const hot = Array.from({ length: 50 }, () => store.head(key("hot")));
    const sizes = new Map<string, number[]>();
    for (let i = 0; i < 7; i++) {
      await settle();
      const next = table.sent.shift() as Sent;
      sizes.set(next.name, [...(sizes.get(next.name) ?? []), next.keys.length]);
      next.end();
    }
    await Promise.all([...rows, ...large, ...hot]);
    expect(Object.fromEntries(sizes)).toEqual({ entries: [3, 3, 1], put: [1, 1, 1], infos: [1] });
  });

  test("of several calls on a key the largest counts, for its value may be the one that is written", async () => {
    const { table, store } = make({ batchBytes: 1000 });
    const calls = ["a", "b"].flatMap((name) => [
      store.put(key(name), entry("x".repeat(600))),
      store.persist(key(name)),
    ]);
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["a"]]);
    await table.expectNext("known", "create", "known", "create");
    await Promise.all(calls);
  });

  test("values larger than their share of a statement are read again, a few at once and at last alone", async () => {
    const { table, store } = make();
    const names = Array.from({ length: LARGE_BATCH_ROWS + 1 }, (_, i) => `k${i}`);
    const puts = names.map((name) => store.put(key(name), entry("v")));
    await table.expectNext("put");
    await Promise.all(puts);
    for (const name of names) table.large.add(name);
    const calls = ["small", ...names].map((name) => store.get(key(name)));
    await table.expectNext("entries");
    expect(await calls[0]).toBe(null);
    expect(table.sent.map(({ keys }) => keys)).toEqual([names.slice(0, -1), names.slice(-1)]);
    await table.expectNext("entries", "entries");
    table.large.clear();
    for (const name of names) {
      const next = table.sent.shift();
      expect(next?.keys).toEqual([name]);
      next?.end();
      await settle();
    }
    expect((await Promise.all(calls)).length).toBe(names.length + 1);
  });

  test("each shard has statements of its own", async () => {
    const { table, store } = make({}, { shardOf: (each) => each.toString().slice(-1) });
    const calls = ["a1", "a2", "b1", "b2"].map((name) => store.get(key(name)));
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([
      ["a1", "b1"],
      ["a2", "b2"],
    ]);
    for (const { end } of table.sent) end();
    await Promise.all(calls);
  });
});

describe("writes of all kinds", () => {
  test("of blind writes of a key the last is sent, and each caller has an answer of its own", async () => {
    const { table, store } = make();
    const calls = [
      ...["one", "two", "three"].map((value) => store.put(key("a"), entry(value))),
      store.put(key("b"), entry("gone")),
      store.delete(key("b")),
    ];
    await settle();
    expect(table.sent.map(({ name, keys }) => [name, ...keys])).toEqual([
      ["put", "a"],
      ["delete", "b"],
    ]);
    for (const { end } of table.sent) end();
    const versions = await Promise.all(calls);
    expect(new Set(versions).size).toBe(5);
    expect(table.rows.get(keyName(key("a")))?.value).toBe("three");
    expect(versionOf(table.rows.get(keyName(key("a")))?.revision as string)).toBe(versions[2] as string);
  });

  test("those of one key are folded in the order of their arrival, into one row", async () => {
    const { table, store } = make();
    const calls = [
      store.put(key("a"), entry("1"), { ifNoneMatch: "*" }),
      store.put(key("a"), entry("2"), { ifNoneMatch: "*" }),
      store.expire(key("a"), { afterMs: 50 }, { if: "gt" }),
      store.expire(key("a"), { afterMs: 50 }, { if: "nx" }),
      store.put(key("a"), entry("3", "keep"), { ifMatch: "*" }),
      store.persist(key("b")),
      store.delete(key("b"), "*"),
    ];
    await settle();
    expect(table.sent.map(({ name, keys }) => [name, ...keys])).toEqual([["known", "a", "b"]]);
    await table.expectNext("known", "create");
    const answers = await Promise.all(calls);
    expect(answers.slice(1)).toEqual([
      null,
      { outcome: "condition_failed" },
      { outcome: "set", atMs: NOW + 50, ttlMs: 50 },
      expect.stringMatching(/^[0-9a-f]{20}$/),
      false,
      false,
    ]);
    expect(table.rows.get(keyName(key("a")))).toMatchObject({ value: "3", expiresAtMs: NOW + 50 });
    expect(table.sent).toEqual([]);
  });

  test("only what has to know its row is read, and nothing waits for it", async () => {
    const { table, store } = make();
    const calls = [store.put(key("a"), entry("1")), store.persist(key("b")), store.delete(key("c"))];
    await settle();
    expect(table.sent.map(({ name, keys }) => [name, ...keys])).toEqual([
      ["put", "a"],
      ["known", "b"],
      ["delete", "c"],
    ]);
    table.sent[0]?.end();
    await calls[0];
    for (const { end } of table.sent.slice(1)) end();
    await Promise.all(calls);
  });

  test("where another was first, they are decided again, together with those that came meanwhile", async () => {
    const { table, store } = make();
    const put = store.put(key("a"), entry("old"));
    await table.expectNext("put");
    const version = (await put) as string;
    const swap = store.put(key("a"), entry("mine"), { ifMatch: [version] });
    const expire = store.expire(key("a"), { afterMs: 7 });
    await table.expectNext("known");
    const next = store.expire(key("a"), { afterMs: 9 }, { if: "gt" });
    const theirs = newRevision(newVersion());
    table.rows.set(keyName(key("a")), { revision: theirs, expiresAtMs: null, value: "theirs" });
    await table.expectNext("replace", "known", "touch");
    expect(await swap).toBe(null);
    expect(await expire).toMatchObject({ atMs: NOW + 7 });
    expect(await next).toMatchObject({ atMs: NOW + 9 });
    expect(table.rows.get(keyName(key("a")))).toMatchObject({ value: "theirs", expiresAtMs: NOW + 9 });
  });

  test("what is deleted on a condition leaves a row that nobody takes for an entry", async () => {
    const { table, store } = make();
    store.put(key("a"), entry("v"));
    await table.expectNext("put");
    const deleted = store.delete(key("a"), "*");
    await table.expectNext("known", "touch");
    expect(await deleted).toBe(true);
    const row = table.rows.get(keyName(key("a"))) as Stored;
    expect([versionOf(row.revision), row.expiresAtMs]).toEqual([null, NOW]);
    const calls = [store.persist(key("a")), store.put(key("a"), entry("new"), { ifNoneMatch: "*" })];
    await table.expectNext("known", "replace");
    expect(await Promise.all(calls)).toEqual([false, expect.any(String)]);
  });
});

describe("an entry that a read finds expired", () => {
  async function expired() {
    const made = make();
    made.store.put(key("a"), entry("v", { atMs: NOW }));
    await made.table.expectNext("put");
    const reads = [made.store.get(key("a")), made.store.get(key("b")), made.store.head(key("a"))];
    await made.table.expectNext("entries", "infos");
    return { ...made, reads };
  }

  test("is called absent once its row is gone, and keeps no other read waiting", async () => {
    const { table, reads } = await expired();
    expect(await reads[1]).toBe(null);
    // The second look came too late for the first one's batch: it can't tell, and what is read then can.
    await table.expectNext("reclaim", "reclaim", "infos");
    expect(await Promise.all(reads)).toEqual([null, null, null]);
    expect(table.rows.has(keyName(key("a")))).toBe(false);
  });

  test("is what it is by then, where a writer was first", async () => {
    const { table, reads } = await expired();
    const extended = { revision: newRevision(newVersion()), expiresAtMs: null, value: "extended" };
    table.rows.set(keyName(key("a")), extended);
    await table.expectNext("reclaim", "entries", "reclaim", "infos");
    expect(await Promise.all(reads)).toMatchObject([{ value: Buffer.from("extended") }, null, { valueBytes: 8 }]);
  });

  test("is decided on with the writes of its key that wait beside it", async () => {
    const { table, store, reads } = await expired();
    const create = store.put(key("a"), entry("new"), { ifNoneMatch: "*" });
    // The first look is under way, the second waits with the create-only PUT, which comes after it.
    await table.expectNext("reclaim", "known", "create");
    expect(await Promise.all([...reads, create])).toEqual([null, null, null, expect.any(String)]);
  });
});

describe("errors", () => {
  test("a statement that is refused is sent again in parts, and fails for one entry alone", async () => {
    const { table, store } = make();
    const good = store.put(key("good"), entry("v"));
    const bad = store.put(key("bad"), entry("v"));
    await settle();
    table.sent.shift()?.end("internal");
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["good"]]);
    await table.expectNext("put");
    expect(table.sent.map(({ keys }) => keys)).toEqual([["bad"]]);
    table.sent.shift()?.end("internal");
    expect(await good).toMatch(/^[0-9a-f]{20}$/);
    expect(await codeOf(bad)).toBe("internal");
  });

  test("what was surely not applied goes again, in its order and before what came later, to the shard of that time", async () => {
    let shard = "old";
    const at: string[] = [];
    let table: FakeTable;
    const tableAt = (name: string) => {
      at.push(name);
      return table as unknown as Table;
    };
    const made = make({}, { shardOf: () => shard, tableAt });
    table = made.table;
    const first = made.store.expire(key("a"), { afterMs: 1 });
    await settle();
    const second = made.store.put(key("a"), entry("v"));
    shard = "new";
    table.sent.shift()?.end("unavailable");
    while (table.sent.length === 0) await settle();
    await table.expectNext("known", "create");
    expect([await first, await second]).toEqual([{ outcome: "absent" }, expect.any(String)]);
    expect(new Set(at)).toEqual(new Set(["old", "new"]));
  });

  test("a lost answer to a blind PUT is looked for, and unknown where nothing shows it", async () => {
    const { table, store } = make();
    const lost = store.put(key("a"), entry("v"));
    await settle();
    table.sent.shift()?.end("outcome_unknown", true);
    await table.expectNext("look_back");
    expect(await lost).toEqual(expect.any(String));
    const never = codeOf(store.put(key("a"), entry("w")));
    await settle();
    table.sent.shift()?.end("outcome_unknown", false);
    await table.expectNext("look_back");
    expect(await never).toBe("outcome_unknown");
  });

  test.each([true, false])("a guarded change whose answer is lost happens once: applied %s", async (applied) => {
    const { table, store } = make();
    store.put(key("a"), entry("v"));
    await table.expectNext("put");
    const persist = store.expire(key("a"), { afterMs: 5 }, { if: "nx" });
    await table.expectNext("known");
    table.sent.shift()?.end("outcome_unknown", applied);
    while (table.sent.length === 0) await settle();
    await table.expectNext("known", ...(applied ? [] : ["touch"]));
    expect(await persist).toEqual({ outcome: "set", atMs: NOW + 5, ttlMs: 5 });
    expect(table.sent).toEqual([]);
  });

  test("an attempt that may still come is kept from it, before an answer says that nothing is changed", async () => {
    const { table, store } = make();
    store.put(key("a"), entry("v", { atMs: NOW + 10 }));
    await table.expectNext("put");
    const persist = store.expire(key("a"), { afterMs: 5 }, { if: "lt" });
    await table.expectNext("known");
    const late = table.sent.shift();
    const first = table.rows.get(keyName(key("a"))) as Stored;
    late?.end("outcome_unknown", false);
    while (table.sent.length === 0) await settle();
    table.clockMs = NOW + 8;
    await table.expectNext("known", "touch");
    expect(await persist).toEqual({ outcome: "condition_failed" });
    const after = table.rows.get(keyName(key("a"))) as Stored;
    expect(after).toMatchObject({ expiresAtMs: NOW + 10, value: "v" });
    expect(after.revision).not.toBe(first.revision);
    expect(versionOf(after.revision)).toBe(versionOf(first.revision));
  });

  test("a guarded change whose answer is lost, and whose row has been changed since, is unknown", async () => {
    const { table, store } = make();
    store.put(key("a"), entry("v"));
    await table.expectNext("put");
    const persist = codeOf(store.expire(key("a"), { afterMs: 5 }));
    await table.expectNext("known");
    table.sent.shift()?.end("outcome_unknown", true);
    table.rows.set(keyName(key("a")), { revision: newRevision(newVersion()), expiresAtMs: null, value: "theirs" });
    while (table.sent.length === 0) await settle();
    await table.expectNext("known");
    expect(await persist).toBe("outcome_unknown");
  });

  test.each([
    ["outcome_unknown", true, ["look_back"], "done"],
    ["outcome_unknown", false, ["look_back"], "outcome_unknown"],
    // It was stored and is then called not applied: the version of one's own is proof.
    ["unavailable", true, ["known"], "done"],
    ["unavailable", false, ["known", "create"], "done"],
  ] as const)("a create-only PUT that ends with %s, applied %s: %p", async (error, applied, statements, outcome) => {
    const { table, store } = make();
    const create = codeOf(store.put(key("a"), entry("v"), { ifNoneMatch: "*" }));
    await table.expectNext("known");
    table.sent.shift()?.end(error, applied);
    while (table.sent.length === 0) await settle();
    await table.expectNext(...statements);
    expect(await create).toBe(outcome);
  });
});

describe("admission", () => {
  test("the call too many, and the byte too many, are turned away at once; what is received counts", async () => {
    const { table, store } = make({ maxCalls: 2, maxBytes: 1000 });
    const first = store.put(key("a"), entry("x".repeat(500)));
    expect(() => store.put(key("b"), entry("x".repeat(600)))).toThrow("overloaded");
    const release = store.reserve(300);
    expect(() => store.reserve(300)).toThrow("overloaded");
    release();
    store.reserve(300)();
    const second = store.get(key("c"));
    expect(store.isFull()).toBe(true);
    expect(() => store.get(key("d"))).toThrow("overloaded");
    await settle();
    for (const { end } of table.sent) end();
    await Promise.all([first, second]);
    const after = store.get(key("e"));
    await settle();
    table.sent[2]?.end();
    expect(await after).toBe(null);
  });

  test("a deadline counts from the arrival and tells what is true: unsent, it did not happen; sent, it may have", async () => {
    const { table, store } = make({ deadlineMs: 100 });
    const sent = store.put(key("a"), entry("1"));
    await settle();
    const queued = store.put(key("b"), entry("2"));
    const read = store.get(key("c"));
    expect(await Promise.all([sent, queued, read].map(codeOf))).toEqual([
      "outcome_unknown",
      "unavailable",
      "unavailable",
    ]);
    table.sent[0]?.end();
    await settle();
    expect(table.sent.filter(({ name }) => name === "put").length).toBe(1);
  });

  test("a write that is only being decided has not happened", async () => {
    const { table, store } = make({ deadlineMs: 100 });
    const call = codeOf(store.persist(key("a")));
    await settle();
    expect(table.sent.map(({ name }) => name)).toEqual(["known"]);
    expect(await call).toBe("unavailable");
  });

  test("one that was answered as not done while its batch was being decided is not done then", async () => {
    const { table, store } = make({ deadlineMs: 150 });
    const blocker = store.persist(key("z"));
    await settle();
    const early = codeOf(store.put(key("a"), entry("early"), { ifNoneMatch: "*" }));
    await new Promise((resolve) => setTimeout(resolve, 80));
    const late = codeOf(store.put(key("b"), entry("late"), { ifNoneMatch: "*" }));
    await table.expectNext("known");
    await blocker;
    const known = table.sent.shift();
    expect(known?.keys).toEqual(["a", "b"]);
    expect(await early).toBe("unavailable");
    known?.end();
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["b"]]);
    await table.expectNext("create");
    expect(await late).toBe("done");
    expect(table.rows.has(keyName(key("a")))).toBe(false);
  });

  test("nor where the database has refused the statement that it was in", async () => {
    const { table, store } = make({ deadlineMs: 150 });
    const calls = ["a", "b"].map((name) => codeOf(store.put(key(name), entry("v"))));
    await settle();
    table.sent.shift()?.end("internal");
    await settle();
    const first = table.sent.shift();
    expect(await calls[1]).toBe("unavailable");
    first?.end();
    await settle();
    expect(table.sent).toEqual([]);
    expect(table.rows.has(keyName(key("b")))).toBe(false);
  });

  test.each(["internal", "unavailable", "overloaded"] as const)(
    "a write that may have happened is unknown, and not %s, when finding out fails",
    async (code) => {
      const { table, store } = make({ deadlineMs: 300 });
      store.put(key("a"), entry("v"));
      await table.expectNext("put");
      const call = codeOf(store.expire(key("a"), { afterMs: 5 }));
      await table.expectNext("known");
      table.sent.shift()?.end("outcome_unknown", true);
      while (table.sent.length === 0) await settle();
      table.sent.shift()?.end(code);
      const keepFailing = setInterval(() => table.sent.shift()?.end(code), 1);
      expect(await call).toBe("outcome_unknown");
      clearInterval(keepFailing);
    },
  );

  test("what was not sent when its caller left is dropped, and what was sent goes on", async () => {
    const { table, store } = make();
    const caller = new AbortController();
    const sent = store.put(key("a"), entry("1"), {}, caller.signal);
    await settle();
    const waiting = codeOf(store.put(key("b"), entry("2"), {}, caller.signal));
    caller.abort();
    await table.expectNext("put");
    expect(await sent).toEqual(expect.any(String));
    expect(await waiting).toBe("unavailable");
    expect(table.sent).toEqual([]);
  });
});
