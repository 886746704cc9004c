import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import type { ExpiredRows } from "../database/expired.ts";
import { StoreError } from "../store/error.ts";
import { ModelStore } from "../store/model.ts";
import { leaseKey } from "../store/store.ts";
import { holderOf } from "./lease.ts";
import { sweepShard } from "./shard.ts";

const key = leaseKey("test");

/** Servers that sweep one shard, whose table is a fake. */
function start(holders: string[], find: (holder: string) => Promise<[]>, lines: string[] = []) {
  const store = new ModelStore();
  const over = new AbortController();
  const swept = holders.map((holder) =>
    sweepShard(
      {
        ...{ store, holder, leaseKey: key, calls: () => 0, close: async () => {} },
        expired: { find: () => find(holder) } as unknown as ExpiredRows,
        log: pino({}, { write: (line) => lines.push(line) }),
      },
      over.signal,
    ),
  );
  const end = async () => {
    over.abort();
    await Promise.all(swept);
  };
  return { store, end };
}

test("one of several servers sweeps, and gives the lease back at its end", async () => {
  const sweeping = new Set<string>();
  const { store, end } = start(["a", "b", "c"], async (holder) => {
    sweeping.add(holder);
    return [];
  });
  await sleep(20);
  expect(sweeping.size).toBe(1);
  expect([...sweeping]).toEqual([(await holderOf(store, key)) as string]);
  await end();
  expect(await holderOf(store, key)).toBe(null);
});

test("a sweep that fails gives the lease back, so that another can have it", async () => {
  let looks = 0;
  const { store, end } = start(["a"], async () => {
    looks += 1;
    throw new StoreError("unavailable", "no");
  });
  await sleep(20);
  expect(looks).toBe(1);
  expect(await holderOf(store, key)).toBe(null);
  await end();
});

test("a shard that goes on failing in the same way is logged once", async () => {
  const lines: string[] = [];
  let looks = 0;
  const find = async () => {
    looks += 1;
    throw new StoreError("unavailable", "read-only");
  };
  const { end } = start(["a"], find, lines);
  while (looks < 2) await sleep(20);
  await end();
  expect(lines.filter((line) => line.includes("sweeping failed"))).toHaveLength(1);
});
