// What is batched with what.

import { describe, expect, test } from "bun:test";
import { LARGE_BATCH_ROWS } from "../limits.ts";
import { entry, key, make, type Sent, settle } from "./fake-table.ts";

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
