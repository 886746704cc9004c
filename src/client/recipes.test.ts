// The recipes: locks that tell when they are lost, and values that are loaded once.

import { describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "./client.ts";
import { getOrSet, lock } from "./recipes.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";

/** Several clients stand for several processes. */
function setUp(clients = 1) {
  const server = modelServer();
  const all = Array.from({ length: clients }, () =>
    createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch }),
  );
  const [kv] = all as [(typeof all)[0]];
  return { server, kv, all };
}

describe("a lock", () => {
  test("is held by one, and given back", async () => {
    const { kv } = setUp();
    const held = await lock(kv, "job", { ttl: 60 });
    expect(await lock(kv, "job", { ttl: 60 })).toBe(null);
    expect(held?.signal.aborted).toBe(false);
    expect((await kv.ttl("job"))?.ttlMs).toBeWithin(50_000, 60_001);
    expect(await held?.release()).toBe(true);
    expect(held?.signal.aborted).toBe(true);
    await (async () => {
      await using again = await lock(kv, "job", { ttl: 60 });
      expect(again).not.toBe(null);
    })();
    expect(await kv.get("job")).toBe(null);
  });

  test("is waited for, as long as one says", async () => {
    const { kv } = setUp();
    const held = await lock(kv, "job", { ttl: 60 });
    const waiting = lock(kv, "job", { ttl: 60, waitMs: 60_000 });
    const gaveUp = new AbortController();
    const impatient = lock(kv, "job", { ttl: 60, waitMs: 60_000, signal: gaveUp.signal });
    gaveUp.abort(new Error("gave up"));
    await expect(impatient).rejects.toThrow("gave up");
    await held?.release();
    expect(await waiting).not.toBe(null);
    await (await waiting)?.release();
  });

  test("is renewed for as long as it is held", async () => {
    const { kv } = setUp();
    const held = await lock(kv, "job", { ttl: 0.3 });
    await sleep(900);
    // A slow machine may lose it, and then says so.
    if (!held?.signal.aborted) expect(await kv.get("job")).not.toBe(null);
    await held?.release();
  });

  test("tells when another has it", async () => {
    const { kv } = setUp();
    const held = await lock(kv, "job", { ttl: 0.3 });
    await kv.put("job", "another's");
    const lost = held?.signal as AbortSignal;
    if (!lost.aborted) await new Promise((resolve) => lost.addEventListener("abort", resolve));
    expect(await held?.release()).toBe(false);
    expect(await kv.get("job")).toBe("another's");
  });

  test("tells when its time has run out because the store can't be reached", async () => {
    const { kv, server } = setUp();
    const held = await lock(kv, "job", { ttl: 0.3 });
    const takenAt = performance.now();
    server.intercept = () => new Promise(() => {});
    const lost = held?.signal as AbortSignal;
    if (!lost.aborted) await new Promise((resolve) => lost.addEventListener("abort", resolve));
    expect(performance.now() - takenAt).toBeGreaterThan(100);
  });

  test("whose taking was done and whose answer was lost is held; one that another has is not", async () => {
    const { kv, server } = setUp();
    server.intercept = async (request) => {
      server.intercept = undefined;
      await server.answer(request);
      throw new TypeError("lost");
    };
    const held = await lock(kv, "job", { ttl: 60 });
    expect(held).not.toBe(null);
    expect(await held?.release()).toBe(true);
    await kv.put("job", "another's");
    server.intercept = () => {
      server.intercept = undefined;
      throw new TypeError("lost");
    };
    expect(await lock(kv, "job", { ttl: 60 })).toBe(null);
  });

  test("whose taking may yet happen is reported as that", async () => {
    const { kv, server } = setUp();
    server.intercept = () => {
      server.intercept = undefined;
      throw new TypeError("lost");
    };
    await expect(lock(kv, "job", { ttl: 60 })).rejects.toMatchObject({ outcomeUnknown: true });
  });
});

describe("getOrSet", () => {
  test("loads once in a process and once among several, and all get the value", async () => {
    const { all, kv, server } = setUp(4);
    let loads = 0;
    const load = async () => {
      loads++;
      await sleep(50);
      return { answer: 42 };
    };
    const callers = Array.from({ length: 40 }, (_, i) => getOrSet(all[i % 4] as typeof kv, "answer", 60, load));
    expect(await Promise.all(callers)).toEqual(Array(40).fill({ answer: 42 }));
    expect(loads).toBe(1);
    expect((await kv.ttl("answer"))?.ttlMs).toBeWithin(50_000, 60_001);
    expect(await getOrSet(kv, "answer", 60, () => ({ answer: 43 }))).toEqual({ answer: 42 });
    expect(server.store.entry(`${NAMESPACE}/answer:loading`)).toBe(null);
  });

  test("keeps null, which is a document as well", async () => {
    const { kv } = setUp();
    expect(await getOrSet(kv, "k", 60, () => null)).toBe(null);
    expect(await getOrSet<unknown>(kv, "k", 60, () => "loaded again")).toBe(null);
  });

  test("fails for those who share a loader that fails, and not for the next", async () => {
    const { kv } = setUp();
    const fail = () => Promise.reject(new Error("no luck"));
    const shared = await Promise.allSettled([getOrSet(kv, "k", 60, fail), getOrSet(kv, "k", 60, () => "never")]);
    expect(shared.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await getOrSet<string>(kv, "k", 60, () => "luck")).toBe("luck");
  });
});
