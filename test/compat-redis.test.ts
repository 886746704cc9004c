// Clients of Redis over REST, unmodified, against the real servers: only the address is another.

import { describe, expect, test } from "bun:test";
import { Lock } from "@upstash/lock";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { createClient } from "@vercel/kv";
import { Hono } from "hono";
import { RedisStore, rateLimiter } from "hono-rate-limiter";
import { createStorage } from "unstorage";
import upstashDriver from "unstorage/drivers/upstash";
import { startServer } from "../vitess/run/server-process.ts";
import { call, targets } from "./targets.ts";

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
    await expect(redis.lpush("h", 1)).rejects.toThrow("unknown command");
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

describe("@upstash/ratelimit", () => {
  const LIMIT = 20;
  const CALLS = 60;
  test.each([
    ["fixedWindow", Ratelimit.fixedWindow(LIMIT, "1 h")],
    ["slidingWindow", Ratelimit.slidingWindow(LIMIT, "1 h")],
    ["tokenBucket", Ratelimit.tokenBucket(LIMIT, "1 h", LIMIT)],
  ])("%s lets exactly as many pass as it may, from many clients at once", async (_, limiter) => {
    const url = freshUrl();
    const limiters = Array.from({ length: 6 }, () => {
      return new Ratelimit({ redis: new Redis(options(url)), limiter, ephemeralCache: false, analytics: false });
    });
    const results = await Promise.all(Array.from({ length: CALLS }, (_, i) => limiters[i % 6]?.limit("user")));
    expect(results.filter((each) => each?.success)).toHaveLength(LIMIT);
    expect((await limiters[0]?.getRemaining("user"))?.remaining).toBeLessThanOrEqual(0);
    // Another's are another's.
    expect((await limiters[0]?.limit("another"))?.success).toBe(true);
  });

  test("a limit that is set while it runs", async () => {
    const redis = new Redis(options());
    const ratelimit = new Ratelimit({
      ...{ redis, limiter: Ratelimit.slidingWindow(LIMIT, "1 h"), ephemeralCache: false as const },
      dynamicLimits: true,
    });
    await ratelimit.setDynamicLimit({ limit: 2 });
    const results = [await ratelimit.limit("u"), await ratelimit.limit("u"), await ratelimit.limit("u")];
    expect(results.map(({ success, limit }) => [success, limit])).toEqual([
      [true, 2],
      [true, 2],
      [false, 2],
    ]);
  });
});

test("@upstash/lock: one holder at a time, for as long as its lease", async () => {
  const redis = new Redis(options());
  const retry = { attempts: 1, delay: 10 };
  const [one, other] = [0, 1].map(() => new Lock({ id: "lock", redis, lease: 60_000, retry })) as [Lock, Lock];
  expect(await one.acquire()).toBe(true);
  expect(await other.acquire()).toBe(false);
  expect(await one.getStatus()).toBe("ACQUIRED");
  expect(await one.extend(60_000)).toBe(true);
  expect(await redis.pttl("lock")).toBeGreaterThan(100_000);
  expect(await other.release()).toBe(false);
  expect(await one.release()).toBe(true);
  expect(await other.acquire()).toBe(true);
});

test("a limiter on one hot key, from 200 connections and from the Worker too, lets no more pass than its limit", async () => {
  const [CONNECTIONS, CALLS, LIMIT] = [200, 5, 333];
  const source =
    "local n = tonumber(redis.call('GET', KEYS[1]) or 0) if n >= tonumber(ARGV[1]) then return 0 end redis.call('INCR', KEYS[1]) if n == 0 then redis.call('PEXPIRE', KEYS[1], 3600000) end return 1";
  const { pathname } = new URL(freshUrl());
  const body = JSON.stringify(["EVAL", source, 1, "hot", LIMIT]);
  const limit = async (base: string) => {
    const answer = await call(new URL(pathname, base).href, { method: "POST", body });
    return ((await answer.json()) as { result: number }).result;
  };
  const connection = async (base: string, calls: number) => {
    const passed: number[] = [];
    for (let i = 0; i < calls; i++) passed.push(await limit(base));
    return passed;
  };
  const results = await Promise.all([
    ...Array.from({ length: CONNECTIONS }, () => connection(targets.vitess.url, CALLS)),
    connection(targets.worker.url, 10),
  ]);
  expect(results.flat().filter((each) => each === 0 || each === 1)).toHaveLength(CONNECTIONS * CALLS + 10);
  expect(results.flat().filter((each) => each === 1)).toHaveLength(LIMIT);
});

test("hono-rate-limiter", async () => {
  const LIMIT = 5;
  const client = new Redis(options());
  const app = new Hono();
  const store = new RedisStore({ client });
  app.use(rateLimiter({ windowMs: 3_600_000, limit: LIMIT, store, keyGenerator: () => "user" }));
  app.get("/", (c) => c.text("ok"));
  const answers = await Promise.all(Array.from({ length: 12 }, () => app.request("/")));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(LIMIT);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(12 - LIMIT);
  await store.resetKey("user");
  expect((await app.request("/")).status).toBe(200);
});

test("a script that one server was told is known to the others", async () => {
  const namespace = new URL(freshUrl()).pathname;
  const at = (base: string) => new Redis(options(new URL(namespace, base).href));
  const source = `return KEYS[1] .. ARGV[1] -- ${crypto.randomUUID()}`;
  const sha = await at(targets.worker.url).scriptLoad(source);
  expect(await at(targets.vitess.url).evalsha(sha, ["k"], ["v"])).toBe("kv");
  await expect(at(targets.vitess.url).evalsha("0".repeat(40), ["k"], ["v"])).rejects.toThrow("NOSCRIPT");
});

/** Names of exactly so many keys of one namespace that one shard has, and of one that another has. */
async function keysOfShards(redis: Redis, count: number): Promise<{ near: string[]; far: string }> {
  const near = ["k0"];
  let far: string | undefined;
  for (let i = 1; near.length < count || far === undefined; i++) {
    const name = `k${i}`;
    const isNear = await redis.mset({ k0: 0, [name]: 0 }).then(
      () => true,
      () => false,
    );
    if (isNear) near.push(name);
    else far ??= name;
  }
  await redis.del(...near);
  return { near: near.slice(0, count), far };
}

test("transactions and MSET: all of it happens, or nothing does", async () => {
  const redis = new Redis(options());
  const transaction = redis.multi().set("k", 1).incr("k").append("k", "!").get("k").strlen("k");
  expect(await transaction.exec<unknown[]>()).toEqual(["OK", 2, 2, "2!", 2]);
  const {
    near: [a, b, c],
    far,
  } = (await keysOfShards(redis, 3)) as { near: [string, string, string]; far: string };
  expect(await redis.mset({ [a]: 1, [b]: 2 })).toBe("OK");
  expect(await redis.msetnx({ [b]: 3, [c]: 3 })).toBe(0);
  expect(await redis.mget<unknown[]>(a, b, c)).toEqual([1, 2, null]);
  expect(await redis.multi().incr(a).del(b).set(c, 3, { px: 60_000 }).expire(a, 60).pttl(c).exec<unknown[]>()).toEqual([
    ...[2, 1, "OK", 1, 60_000],
  ]);
  expect(await redis.mget<unknown[]>(a, b, c)).toEqual([2, null, 3]);
  expect(await redis.ttl(a)).toBeWithin(50, 61);
  await expect(redis.multi().set(a, 1).set(far, 1).exec()).rejects.toThrow("CROSSSLOT");
  await expect(redis.mset({ [a]: 1, [far]: 1 })).rejects.toThrow("CROSSSLOT");
  expect(await redis.mget<unknown[]>(a, far)).toEqual([2, null]);
});

test("transfers between keys of one shard, by two servers at once: nobody ever sees another sum", async () => {
  const other = await startServer({ DATABASE_URL: targets.vitess.databaseUrl, KV_SWEEP: "false" });
  try {
    const { pathname } = new URL(freshUrl());
    const servers = [targets.vitess.url, other.url].map((base) => new Redis(options(new URL(pathname, base).href)));
    const [first] = servers as [Redis, Redis];
    const { near } = await keysOfShards(first, 4);
    await first.mset(Object.fromEntries(near.map((key) => [key, 100])));
    const transfer =
      "local n = tonumber(ARGV[1]) if tonumber(redis.call('GET', KEYS[1])) < n then return 0 end redis.call('DECRBY', KEYS[1], n) redis.call('INCRBY', KEYS[2], n) return 1";
    const total = "local n = 0 for _, key in ipairs(KEYS) do n = n + redis.call('GET', key) end return n";
    const work = async (redis: Redis, seed: number) => {
      for (let i = 0; i < 25; i++) {
        const [from, to] = [near[(seed + i) % 4], near[(seed * 3 + i * 2 + 1) % 4]] as [string, string];
        if (from !== to) await redis.eval(transfer, [from, to], [((seed + i) % 30) + 1]);
        else expect(await redis.eval(total, near, [])).toBe(400);
        // A single write of a key has its place among them.
        if (i % 5 === 0) await redis.expire(from, 1_000);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => work(servers[i % 2] as Redis, i)));
    const left = await first.mget<number[]>(...near);
    expect(left.reduce((sum, each) => sum + each, 0)).toBe(400);
    expect(left.every((each) => each >= 0)).toBe(true);
  } finally {
    await other.stop();
  }
});

test("a script that never ends is stopped, and changes nothing", async () => {
  const redis = new Redis(options());
  await redis.set("k", "before");
  const endless = redis.eval("redis.call('SET', KEYS[1], 'after') while true do end", ["k"], []);
  await expect(endless).rejects.toThrow("a script may take");
  await endless.catch(() => {});
  expect(await redis.get<string>("k")).toBe("before");
});
