// Which locks statements take, as MySQL lists them: what DESIGN.md concludes from that, that no cycle can form.

import { beforeAll, expect, test } from "bun:test";
import { keysOfOneShard } from "../bench/store.ts";
import { urlOfShard } from "../src/database/url.ts";
import { isInOrder, measureOrder, measureOthers } from "./locks/order.ts";
import { type Case, isGap, locksIn, measureStatements, READS } from "./locks/statements.ts";
import { targets } from "./targets.ts";

const { status } = targets.vitess;
const primary = status.tablets.find(({ shard, role }) => shard === status.shards[0] && role === "primary");
const socket = primary?.mysqlSocket as string;

const url = urlOfShard(targets.vitess.databaseUrl, status.shards[0] as string);

let cases: Case[];
beforeAll(async () => {
  cases = await measureStatements(socket, keysOfOneShard(3));
});

test("no statement locks gaps, and no read of a live key locks anything", async () => {
  expect(locksIn(cases).length).toBeGreaterThan(cases.length);
  expect(locksIn(cases).filter(isGap)).toEqual([]);
  expect(locksIn(cases.filter(({ call }) => READS.includes(call)))).toEqual([]);
});

test("an entry of the index of expiries is locked only together with its row", async () => {
  for (const { statements } of cases) {
    for (const { rows, expiries } of statements) {
      const locked = rows.filter(({ mode }) => mode.startsWith("X")).map(({ data }) => data);
      for (const { data } of expiries) expect(locked).toContain(data.split(", ")[1] as string);
    }
  }
});

test("a statement of many rows locks them in the order of their keys, however they came", async () => {
  for (const order of await measureOrder(url, socket, keysOfOneShard(5))) {
    expect(isInOrder(order), JSON.stringify(order)).toBe(true);
  }
});

test("a statement of many rows waits for no others, in a table that is hardly larger", async () => {
  expect(await measureOthers(url, socket, keysOfOneShard(40))).toEqual([]);
});
