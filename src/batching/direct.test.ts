// Calls without lanes, over shards: which of them share a statement, and what becomes of them where the map of shards was
// stale.

import { expect, test } from "bun:test";
import { type Shard, wholeMap } from "../database/shards.ts";
import type { Range } from "../database/statements.ts";
import type { Table } from "../database/table.ts";
import { StoreError } from "../store/error.ts";
import type { EntryKey, ListQuery } from "../store/store.ts";
import { directStoreOver } from "./direct.ts";
import { key } from "./fake-table.ts";

const QUERY: ListQuery = {
  ...{ start: Buffer.from("ns/"), end: Buffer.from("ns0"), reverse: false, limit: 10, order: "key" },
};

/** Over shards that have keys by their last letter, up to m or behind it. Those that have gone take nothing. */
function setUp(first: string[], then = first) {
  let names = first;
  const sent: string[] = [];
  const settled: string[] = [];
  const expired: EntryKey[] = [];
  const take = (what: string, shard: string) => {
    sent.push(`${what} ${shard}`);
    if (!then.includes(shard)) throw new StoreError("unavailable", "no such shard");
  };
  const named = (keys: EntryKey[]) => keys.map((each) => each.toString().at(-1)).join("");
  const tableAt = (shard: string) =>
    ({
      read: async (_: string, keys: EntryKey[]) => {
        take(`read ${named(keys)}`, shard);
        return new Map();
      },
      scan: async (_: Range) => {
        take("scan", shard);
        return expired.map((each) => ({ key: each, found: "expired" as const }));
      },
    }) as Partial<Table> as Table;
  const shardOf = (each: EntryKey) => (names.length > 1 && named([each]) > "m" ? names[1] : names[0]) as string;
  const store = directStoreOver(
    {
      tableAt,
      shardOf,
      all: () => wholeMap(names) as Shard[],
      refresh: () => {
        names = then;
      },
      ping: async () => {},
    },
    1_000,
    { settled: ({ kind }) => settled.push(kind), refused() {}, sent() {}, again() {} },
  );
  return { store, sent, settled, expired };
}

test("reads share a statement with those of their shard", async () => {
  const { store, sent } = setUp(["-80", "80-"]);
  await Promise.all(["a", "z", "b", "y"].map((name) => store.get(key(name))));
  expect(sent).toEqual(["read ab -80", "read zy 80-"]);
});

test("reads go to the shards that there are by then", async () => {
  const { store, sent } = setUp(["-"], ["-80", "80-"]);
  await Promise.all(["a", "z"].map((name) => store.get(key(name))));
  expect(sent).toEqual(["read az -", "read a -80", "read z 80-"]);
});

test("a list asks each shard, and begins anew where these are others by then", async () => {
  const { store, sent } = setUp(["-"], ["-80", "80-"]);
  expect(await store.list(QUERY)).toEqual({ entries: [], rest: null });
  // Tried twice, because the map is looked at again only once a shard has not taken it.
  expect(sent).toEqual(["scan -", "scan -", "scan -80", "scan 80-"]);
});

test("what a list finds expired is looked up as a part of it, not as calls of their own", async () => {
  const { store, sent, settled, expired } = setUp(["-"]);
  expired.push(key("a"), key("b"));
  expect(await store.list(QUERY)).toEqual({ entries: [], rest: null });
  expect(sent).toEqual(["scan -", "read ab -"]);
  expect(settled).toEqual(["list"]);
});
