// Clients of Redis over REST, unmodified, against the real servers: only the address is another.

import { describe, expect, test } from "bun:test";
import { Redis } from "@upstash/redis";
import { createClient } from "@vercel/kv";
import { createStorage } from "unstorage";
import upstashDriver from "unstorage/drivers/upstash";
import { targets } from "./targets.ts";

let namespaces = 0;
/** A namespace that no other test uses. */
const freshUrl = (base = targets.vitess.url) => new URL(`/redis/redis${Date.now()}-${namespaces++}`, base).href;
const options = (url = freshUrl()) => ({ url, token: "none", enableTelemetry: false });

describe.each([
  ["with pipelines of its own making", { enableAutoPipelining: true }],
  ["call by call", { enableAutoPipelining: false }],
])("@upstash/redis %s", (_, more) => {
  test("strings of every kind come back as they were", async () => {
    const redis = new Redis({ ...options(), ...more });
    const values = [
      "text",
      "",
      "OK",
      "T0s=",
      "é\u0000\n😀",
      12,
      1.5,
      true,
      { a: [1, null] },
      ["x"],
      "12345678901234567890",
    ];
    await Promise.all(values.map((value, i) => redis.set(`v${i}`, value)));
    const read = await Promise.all(values.map((_, i) => redis.get(`v${i}`)));
    expect(read).toEqual(values);
    expect(await redis.mget(...values.map((_, i) => `v${i}`))).toEqual(values);
    expect(await redis.get("none")).toBe(null);
  });

  test("options, counters, ranges and times", async () => {
    const redis = new Redis({ ...options(), ...more });
    expect(await redis.set("k", "v", { nx: true, ex: 100 })).toBe("OK");
    expect(await redis.set("k", "w", { nx: true })).toBe(null);
    expect(await redis.set("k", "w", { xx: true, keepTtl: true, get: true })).toBe("v");
    expect(await redis.ttl("k")).toBeWithin(90, 101);
    expect(await redis.getex("k", { persist: true })).toBe("w");
    expect(await redis.ttl("k")).toBe(-1);
    expect(await redis.expire("k", 50, "NX")).toBe(1);
    expect(await redis.expire("k", 10, "GT")).toBe(0);
    expect(await redis.persist("k")).toBe(1);
    expect([await redis.incr("n"), await redis.incrby("n", 4), await redis.decr("n")]).toEqual([1, 5, 4]);
    expect(await redis.incrbyfloat("f", 0.1)).toBe(0.1);
    expect(await redis.append("k", "xyz")).toBe(4);
    expect([await redis.getrange("k", 1, -2), await redis.strlen("k")]).toEqual(["xy", 4]);
    expect(await redis.setrange("k", 1, "--")).toBe(4);
    expect(await redis.getset("k", "last")).toBe("w--z");
    expect(await redis.getdel("k")).toBe("last");
    expect(await redis.exists("k", "n", "n")).toBe(2);
    expect([await redis.type("n"), await redis.type("k")]).toEqual(["string", "none"]);
    expect(await redis.del("n", "f", "k")).toBe(2);
    expect(await redis.ping()).toBe("PONG");
    expect(redis.hset("h", { a: 1 })).rejects.toThrow("unknown command");
  });
});

test("@upstash/redis: a pipeline, a scan, and bytes that are told by their code points", async () => {
  const redis = new Redis(options());
  const pipeline = redis.pipeline();
  for (let i = 0; i < 300; i++) pipeline.set(`item:${i}`, i);
  pipeline.set("item", 1).incr("item").get("item");
  const answers = await pipeline.exec();
  expect(answers.slice(-3)).toEqual(["OK", 2, 2]);
  const found = new Set<string>();
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, { match: "item:*", count: 40 });
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== "0");
  expect(found.size).toBe(300);
  expect(await redis.dbsize()).toBe(301);
  expect(await redis.unlink(...found)).toBe(300);
});

test("@upstash/redis: what is acknowledged is read through the other server and the Worker", async () => {
  const namespace = new URL(freshUrl()).pathname;
  for (const base of [targets.vitess.url, targets.worker.url]) {
    const writer = new Redis(options(new URL(namespace, base).href));
    for (const other of [targets.vitess.url, targets.worker.url]) {
      const reader = new Redis(options(new URL(namespace, other).href));
      const value = crypto.randomUUID();
      await writer.set("k", value);
      expect(await reader.get<string>("k")).toBe(value);
      expect(await reader.append("k", "!")).toBe(value.length + 1);
      expect(await writer.get<string>("k")).toBe(`${value}!`);
    }
  }
});

test("@vercel/kv", async () => {
  const kv = createClient(options());
  await kv.set("user:1", { name: "Ada" }, { px: 60_000 });
  expect(await kv.get<object>("user:1")).toEqual({ name: "Ada" });
  await kv.set("user:2", "Grace");
  const found: string[] = [];
  for await (const key of kv.scanIterator({ match: "user:*", count: 1 })) found.push(key);
  expect(found.toSorted()).toEqual(["user:1", "user:2"]);
  expect(await kv.del("user:1", "user:2")).toBe(2);
});

test("unstorage's driver upstash", async () => {
  const { url, token } = options();
  const storage = createStorage({ driver: upstashDriver({ url, token, base: "app" }) });
  await storage.setItem("a:b", { x: 1 });
  await storage.setItem("c", "text", { ttl: 100 });
  expect(await storage.getItem<object>("a:b")).toEqual({ x: 1 });
  expect(await storage.getItems(["a:b", "c", "none"])).toEqual([
    { key: "a:b", value: { x: 1 } },
    { key: "c", value: "text" },
    { key: "none", value: null },
  ]);
  expect((await storage.getKeys()).toSorted()).toEqual(["a:b", "c"]);
  expect([await storage.hasItem("c"), await storage.hasItem("d")]).toEqual([true, false]);
  await storage.removeItem("c");
  await storage.clear();
  expect(await storage.getKeys()).toEqual([]);
});

test("appends and exchanges of one key by many at once: each happens once, in some order", async () => {
  const url = freshUrl();
  const together = Array.from({ length: 8 }, () => new Redis(options(url)));
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const lengths = await Promise.all([...letters].map((letter, i) => (together[i % 8] as Redis).append("log", letter)));
  expect(lengths.toSorted((a, b) => a - b)).toEqual([...letters].map((_, i) => i + 1));
  expect([...((await together[0]?.get<string>("log")) ?? "")].toSorted()).toEqual([...letters]);
  // Of values that are exchanged each is handed over once.
  const before = await Promise.all([...letters].map((letter, i) => (together[i % 8] as Redis).getset("baton", letter)));
  const last = await together[0]?.getdel<string>("baton");
  expect([...before, last].filter((each) => each !== null).toSorted()).toEqual([...letters]);
  expect(before.filter((each) => each === null)).toHaveLength(1);
});

test("large values are changed beside small ones", async () => {
  const redis = new Redis({ ...options(), enableAutoPipelining: true });
  const large = "x".repeat(900_000);
  await Promise.all(Array.from({ length: 12 }, (_, i) => redis.set(`k${i}`, i % 2 ? large : "small")));
  const lengths = await Promise.all(Array.from({ length: 12 }, (_, i) => redis.append(`k${i}`, "y")));
  expect(lengths).toEqual(Array.from({ length: 12 }, (_, i) => (i % 2 ? 900_001 : 6)));
  expect(await Promise.all(Array.from({ length: 12 }, (_, i) => redis.getrange(`k${i}`, -2, -1)))).toEqual(
    Array.from({ length: 12 }, (_, i) => (i % 2 ? "xy" : "ly")),
  );
});
