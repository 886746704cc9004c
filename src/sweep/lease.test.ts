import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ModelStore } from "../store/model.ts";
import { holderOf, Lease, leaseKey } from "./lease.ts";

const TTL_MS = 10_000;
const key = leaseKey("test");

function leases(...holders: string[]) {
  const store = new ModelStore();
  return { store, leases: holders.map((holder) => new Lease(store, key, { holder, ttlMs: TTL_MS })) as [Lease, Lease] };
}

test("a lease is one holder's", async () => {
  const {
    store,
    leases: [first, second],
  } = leases("first", "second");
  expect(await holderOf(store, key)).toBe(null);
  expect([await first.take(), await second.take()]).toEqual([true, false]);
  expect(await holderOf(store, key)).toBe("first");
  expect(first.remainingMs).toBeGreaterThan(0);
  expect(second.remainingMs).toBe(0);
});

test("a lease that is renewed lives on, by another version", async () => {
  const {
    store,
    leases: [first, second],
  } = leases("first", "second");
  await first.take();
  store.nowMs += TTL_MS - 1;
  expect(await first.renew()).toBe(true);
  store.nowMs += TTL_MS - 1;
  expect(await second.take()).toBe(false);
  expect(await first.renew()).toBe(true);
});

test("a lease that expired is another's, and can't be renewed or released by the first", async () => {
  const {
    store,
    leases: [first, second],
  } = leases("first", "second");
  await first.take();
  store.nowMs += TTL_MS;
  expect(await second.take()).toBe(true);
  expect(await first.renew()).toBe(false);
  expect(first.remainingMs).toBe(0);
  await first.release();
  expect(await holderOf(store, key)).toBe("second");
});

test("a lease that was not taken can't be renewed", async () => {
  const {
    leases: [first],
  } = leases("first");
  expect(await first.renew()).toBe(false);
});

test("a lease that is released is free at once", async () => {
  const {
    store,
    leases: [first, second],
  } = leases("first", "second");
  await first.take();
  await first.release();
  expect(await holderOf(store, key)).toBe(null);
  expect(await second.take()).toBe(true);
});

test("the namespace of leases is no client's", () => {
  expect(key.toString()).toStartWith(".");
});

test("a lease whose holder died is taken though the database's clock was set back, and not before its time", async () => {
  const store = new ModelStore();
  const [dead, other] = ["dead", "other"].map((holder) => new Lease(store, key, { holder, ttlMs: 50 })) as [
    Lease,
    Lease,
  ];
  await dead.take();
  store.nowMs -= 3_600_000;
  expect(await other.take()).toBe(false);
  expect(await other.take()).toBe(false);
  await sleep(60);
  expect(await other.take()).toBe(true);
  expect(await holderOf(store, key)).toBe("other");
});

test("a lease that is renewed is not taken, however long the other waits", async () => {
  const store = new ModelStore();
  const [holder, other] = ["holder", "other"].map((name) => new Lease(store, key, { holder: name, ttlMs: 20 })) as [
    Lease,
    Lease,
  ];
  await holder.take();
  for (let i = 0; i < 5; i++) {
    await sleep(15);
    expect(await holder.renew()).toBe(true);
    expect(await other.take()).toBe(false);
  }
});
