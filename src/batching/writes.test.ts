// Writes of all kinds, and reads that find an entry expired.

import { describe, expect, test } from "bun:test";
import { keyName } from "../store/store.ts";
import { newRevision, newVersion, versionOf } from "../store/version.ts";
import { entry, key, make, NOW, type Stored, settle } from "./fake-table.ts";

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
