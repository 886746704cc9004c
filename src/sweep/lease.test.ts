import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MODEL_NOW_MS, ModelStore } from "../store/model.ts";
import { leaseKey } from "../store/store.ts";
import { holderOf, Lease } from "./lease.ts";

const TTL_MS = 10_000;
const key = leaseKey("test");

/** Two that want one lease, in a store whose clock a test sets. */
function contenders(ttlMs = TTL_MS) {
  let nowMs = MODEL_NOW_MS;
  const store = new ModelStore(() => nowMs);
  const move = (ms: number) => {
    nowMs += ms;
  };
  const lease = (holder: string) => new Lease(store, key, { holder, ttlMs });
  return { store, move, first: lease("first"), second: lease("second") };
}

test("a lease is one holder's", async () => {
  const { store, first, second } = contenders();
  expect(await holderOf(store, key)).toBe(null);
  expect([await first.take(), await second.take()]).toEqual([true, false]);
  expect(await holderOf(store, key)).toBe("first");
  expect(first.remainingMs).toBeGreaterThan(0);
  expect(second.remainingMs).toBe(0);
});

test("a lease that is renewed lives on, by another version", async () => {
  const { move, first, second } = contenders();
  await first.take();
  move(TTL_MS - 1);
  expect(await first.renew()).toBe(true);
  move(TTL_MS - 1);
  expect(await second.take()).toBe(false);
  expect(await first.renew()).toBe(true);
});

test("a lease that expired is another's, and can't be renewed or released by the first", async () => {
  const { store, move, first, second } = contenders();
  await first.take();
  move(TTL_MS);
  expect(await second.take()).toBe(true);
  expect(await first.renew()).toBe(false);
  expect(first.remainingMs).toBe(0);
  await first.release();
  expect(await holderOf(store, key)).toBe("second");
});

test("a lease that was not taken can't be renewed", async () => {
  const { first } = contenders();
  expect(await first.renew()).toBe(false);
});

test("a lease that is released is free at once", async () => {
  const { store, first, second } = contenders();
  await first.take();
  await first.release();
  expect(await holderOf(store, key)).toBe(null);
  expect(await second.take()).toBe(true);
});

test("the namespace of leases is no client's", () => {
  expect(key.toString()).toStartWith(".");
});

test("a lease whose holder died is taken though the database's clock was set back, and not before its time", async () => {
  const { store, move, first: dead, second: other } = contenders(50);
  await dead.take();
  move(-3_600_000);
  expect(await other.take()).toBe(false);
  expect(await other.take()).toBe(false);
  await sleep(60);
  expect(await other.take()).toBe(true);
  expect(await holderOf(store, key)).toBe("second");
});

test("a lease that is renewed is not taken, however long the other waits", async () => {
  const { first: holder, second: other } = contenders(20);
  await holder.take();
  for (let i = 0; i < 5; i++) {
    await sleep(15);
    expect(await holder.renew()).toBe(true);
    expect(await other.take()).toBe(false);
  }
});
