// Each call of the client, alone and within a batch, against the app over the model store.

import { describe, expect, test } from "bun:test";
import { createClient } from "./client.ts";
import { KVError } from "./error.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";
import type { Client, Key } from "./types.ts";

/** The store's clock stands still, so that times are exact. */
const NOW_MS = Math.floor(Date.now() / 1000) * 1000;

function setUp(isTogether: boolean) {
  let nowMs = NOW_MS;
  const server = modelServer({ clock: () => nowMs });
  const kv = createClient({ url: "http://kv.test/", namespace: NAMESPACE, fetch: server.fetch });
  if (!isTogether) return { kv, server, advance: (ms: number) => (nowMs += ms) };
  // Each call has company in its tick.
  const accompanied = new Proxy(kv, {
    get:
      (_, name: keyof Client) =>
      (key: Key, ...rest: unknown[]) => {
        kv.head("company");
        return (kv[name] as (...args: unknown[]) => unknown)(key, ...rest);
      },
  });
  return { kv: accompanied, server, advance: (ms: number) => (nowMs += ms) };
}

describe.each([
  ["alone", false],
  ["within a batch", true],
])("a call %s", (_, isTogether) => {
  test.each(["", "plain", "ünï 🎉", "\uFEFFmark", "\uFFFD", "a\0b", '{"a":1}'])("text %j comes back", async (text) => {
    const { kv } = setUp(isTogether);
    await kv.put("k", text);
    expect(await kv.get("k")).toBe(text);
    expect((await kv.head("k"))?.contentType).toBe("text/plain; charset=utf-8");
  });

  test.each([[[]], [[0, 255, 254, 10, 13]], [[0xef, 0xbb, 0xbf, 0x61]]])("the bytes %j come back", async (bytes) => {
    const { kv } = setUp(isTogether);
    const given = Uint8Array.from([9, ...bytes, 9]).subarray(1, bytes.length + 1);
    for (const value of [given, given.slice().buffer, new DataView(given.buffer, 1, bytes.length)]) {
      await kv.put("k", value);
      expect(await kv.get("k", { type: "bytes" })).toEqual(Uint8Array.from(bytes));
    }
    expect((await kv.head("k"))?.contentType).toBe("application/octet-stream");
  });

  test("bytes are those of the moment of the call", async () => {
    const { kv } = setUp(isTogether);
    const bytes = Uint8Array.of(1);
    const done = kv.put("k", bytes);
    bytes[0] = 2;
    await done;
    expect(await kv.get("k", { type: "bytes" })).toEqual(Uint8Array.of(1));
  });

  test("a document comes back", async () => {
    const { kv } = setUp(isTogether);
    const document = { ä: [1, null, "x"] };
    await kv.putJson("k", document);
    expect(await kv.get<typeof document>("k", { type: "json" })).toEqual(document);
    expect((await kv.head("k"))?.contentType).toBe("application/json");
    await kv.put("k", "secret");
    const failure = kv.get("k", { type: "json" });
    await expect(failure).rejects.toMatchObject({ code: "not_json" });
    await expect(failure).rejects.not.toThrow("secret");
  });

  test.each([
    "a b",
    "a/ttl",
    "a%2Fb",
    "#?&=",
    "\\",
    "caf\u00e9",
    "\uFFFD",
    "\uFEFF",
    "...",
    "\n",
    "🎉",
    Uint8Array.of(0xff, 0, 0x2f),
    Uint8Array.of(0xef, 0xbf, 0xbd),
  ])("the key %j", async (key) => {
    const { kv, server } = setUp(isTogether);
    await kv.put(key, "here");
    expect(await kv.get(key)).toBe("here");
    const bytes = typeof key === "string" ? Buffer.from(key) : Buffer.from(key);
    expect(server.store.entry(`${NAMESPACE}/${bytes.toString("latin1")}`)?.value.toString()).toBe("here");
    expect(await kv.get(new Uint8Array(bytes))).toBe("here");
    expect(await kv.ttl(key)).toEqual({ ttlMs: null, expiresAt: null });
  });

  test("what is known about a value", async () => {
    const { kv } = setUp(isTogether);
    const metadata = { ü: "\u007f🎉", list: [1] };
    const expiresAt = new Date(NOW_MS + 61_234);
    const etag = await kv.put("k", "value", { contentType: "text/html", metadata, expiresAt });
    const info = { etag, contentType: "text/html", metadata, bytes: 5, expiresAt };
    expect(await kv.head("k")).toEqual(info);
    expect(await kv.getWithInfo("k")).toEqual({ ...info, value: "value" });
    await kv.put("k", "");
    expect(await kv.getWithInfo("k")).toMatchObject({ metadata: null, bytes: 0, expiresAt: null, value: "" });
  });

  test("what is absent", async () => {
    const { kv } = setUp(isTogether);
    expect(await kv.get("k")).toBe(null);
    expect(await kv.getWithInfo("k", { type: "bytes" })).toBe(null);
    expect(await kv.head("k")).toBe(null);
    expect(await kv.ttl("k")).toBe(null);
    expect(await kv.expire("k", { ttl: 1 })).toBe(null);
    expect(await kv.persist("k")).toBe(false);
    expect(await kv.delete("k")).toBe(true);
    expect(await kv.delete("k", { ifMatch: "*" })).toBe(false);
  });

  test("conditions", async () => {
    const { kv } = setUp(isTogether);
    const first = (await kv.put("k", "1", { ifNoneMatch: "*" })) as string;
    expect(first).toMatch(/^"\w+"$/);
    expect(await kv.put("k", "2", { ifNoneMatch: "*" })).toBe(null);
    const second = (await kv.put("k", "2", { ifMatch: first })) as string;
    expect(await kv.put("k", "3", { ifMatch: first })).toBe(null);
    expect(await kv.expire("k", { ttl: 5, ifMatch: first })).toBe(null);
    expect(await kv.expire("k", { ttl: 5, ifMatch: second })).toMatchObject({ ttlMs: 5_000 });
    expect(await kv.delete("k", { ifMatch: first })).toBe(false);
    expect(await kv.get("k")).toBe("2");
    expect(await kv.delete("k", { ifMatch: second })).toBe(true);
    expect(await kv.get("k")).toBe(null);
  });

  test("expiries", async () => {
    const { kv, advance } = setUp(isTogether);
    const at = (ms: number) => ({ ttlMs: ms, expiresAt: new Date(NOW_MS + ms) });
    await kv.put("k", "1", { ttl: 60 });
    expect(await kv.ttl("k")).toEqual(at(60_000));
    await kv.put("k", "1", { ttlMs: 1_500 });
    expect(await kv.ttl("k")).toEqual(at(1_500));
    await kv.put("k", "2", { keepTtl: true });
    expect(await kv.ttl("k")).toEqual(at(1_500));
    expect(await kv.expire("k", { ttlMs: 1_000, if: "gt" })).toBe(null);
    expect(await kv.expire("k", { ttlMs: 2_001, if: "gt" })).toEqual(at(2_001));
    expect(await kv.expire("k", { expiresAt: new Date(NOW_MS + 3_333) })).toEqual(at(3_333));
    expect(await kv.persist("k")).toBe(true);
    expect(await kv.ttl("k")).toEqual({ ttlMs: null, expiresAt: null });
    await kv.expire("k", { ttlMs: 10 });
    advance(10);
    expect(await kv.get("k")).toBe(null);
    await kv.put("k", "3");
    await kv.expire("k", { expiresAt: new Date(NOW_MS - 1) });
    expect(await kv.get("k")).toBe(null);
  });

  test("counters", async () => {
    const { kv } = setUp(isTogether);
    expect(await kv.increment("n")).toMatchObject({ value: 1n, ttlMs: null, expiresAt: null });
    const big = await kv.increment("n", { by: 2n ** 62n, ttl: 9, ttlMode: "always" });
    expect(big).toMatchObject({ value: 2n ** 62n + 1n, ttlMs: 9_000, expiresAt: new Date(NOW_MS + 9_000) });
    expect((await kv.head("n"))?.etag).toBe(big.etag);
    expect(await kv.get("n")).toBe(String(2n ** 62n + 1n));
    expect((await kv.increment("n", { by: -1, initial: 7, min: 0 })).value).toBe(2n ** 62n);
    await expect(kv.increment("n", { by: 2n ** 62n })).rejects.toMatchObject({ code: "overflow", status: 409 });
    await expect(kv.increment("n", { max: 5 })).rejects.toMatchObject({ code: "out_of_bounds" });
    await kv.put("n", "seven");
    await expect(kv.increment("n")).rejects.toMatchObject({ code: "not_a_number", outcomeUnknown: false });
  });

  test("what the server refuses is an error that names no key and no value", async () => {
    const { kv } = setUp(isTogether);
    const error = await kv.put("secret-key", "secret-value", { ttl: -1 }).catch((error) => error);
    expect(error).toBeInstanceOf(KVError);
    expect(error).toMatchObject({ name: "KVError", code: "invalid_ttl", status: 400, outcomeUnknown: false });
    expect(error.requestId).toBeString();
    expect(Bun.inspect(error)).not.toContain("secret");
  });
});

test.each(["", ".", "..", "\ud800"])("the key %j is refused before anything is sent", async (key) => {
  const { kv, server } = setUp(false);
  const outcomes = await Promise.allSettled([kv.get(key), kv.put(key, ""), kv.delete(key)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(server.requests).toEqual([]);
});

test.each([undefined, null, 1, {}])("%j is no value", async (value) => {
  const { kv, server } = setUp(false);
  await expect(kv.put("k", value as never)).rejects.toThrow(TypeError);
  await expect(kv.putJson("k", undefined)).rejects.toThrow(TypeError);
  expect(server.requests).toEqual([]);
});

test("what no header can hold is refused before anything is sent, alone and within a batch", async () => {
  const { kv, server } = setUp(false);
  const outcomes = await Promise.allSettled([
    kv.put("a", "", { contentType: "a\nb" }),
    kv.put("b", "", { ifMatch: '"🎉"' }),
    kv.delete("c", { ifMatch: "\0" }),
  ]);
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.name)).toEqual([
    ...["TypeError", "TypeError", "TypeError"],
  ]);
  expect(server.requests).toEqual([]);
  const withToken = () => createClient({ url: "http://kv.test", namespace: NAMESPACE, token: "secret\n" });
  expect(withToken).toThrow(TypeError);
  expect(withToken).not.toThrow("secret");
});

test.each(["", "a/b", "..", "ü", "x".repeat(65)])("the namespace %j is refused", (namespace) => {
  expect(() => createClient({ url: "http://kv.test", namespace })).toThrow(TypeError);
});

describe("a token that is made anew", () => {
  function setUpWith(token: () => Promise<string>, bearers: unknown[] = []) {
    const server = modelServer();
    const fetch: typeof server.fetch = (url, init) => {
      bearers.push(new Headers(init?.headers).get("Authorization"));
      return bearers.length === 1 ? Promise.reject(new TypeError("lost")) : server.fetch(url, init);
    };
    return { server, kv: createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch, token }) };
  }

  test("is asked for before each request, and before a request that is sent again", async () => {
    const bearers: unknown[] = [];
    let made = 0;
    const { kv } = setUpWith(async () => `token-${++made}`, bearers);
    await kv.get("a");
    await Promise.all([kv.get("a"), kv.get("b")]);
    expect(bearers).toEqual(["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
  });

  test("and that can't be had fails the calls with its own error, and nothing is sent", async () => {
    const { kv, server } = setUpWith(() => Promise.reject(new Error("signed out")));
    const outcomes = await Promise.allSettled([kv.get("a"), kv.put("b", "1")]);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.message)).toEqual([
      "signed out",
      "signed out",
    ]);
    expect(server.requests).toEqual([]);
  });

  test("and that does not come in time fails the calls, which changed nothing", async () => {
    const { fetch, requests } = modelServer();
    const options = { url: "http://kv.test", namespace: NAMESPACE, fetch, timeoutMs: 10 };
    const kv = createClient({ ...options, token: () => new Promise<string>(() => {}) });
    const outcomes = await Promise.allSettled([kv.get("a"), kv.put("b", "1")]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "timeout", outcomeUnknown: false } });
    }
    expect(requests).toEqual([]);
  });
});

test("an eventual read says so, and goes alone", async () => {
  const { kv, server } = setUp(false);
  await Promise.all([kv.get("a", { consistency: "eventual" }), kv.head("b", { consistency: "strong" }), kv.get("c")]);
  expect(server.requests.toSorted()).toEqual([
    `GET /v1/kv/${NAMESPACE}/a?consistency=eventual`,
    `POST /v1/kv/${NAMESPACE}`,
  ]);
});
