// The Redis interface over the model store: how commands come in, how answers go out, who may, and bounds. What the
// commands mean is held against a real redis-server, see test/compat-redis-differential.test.ts.

import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../../../app.ts";
import { newToken, Tokens } from "../../../auth/tokens.ts";
import { StoreError } from "../../../store/error.ts";
import { ModelStore } from "../../../store/model.ts";
import { literalPrefix, matchesGlob } from "./glob.ts";

const MAX_VALUE_BYTES = 64 * 1024;

let store: ModelStore;
let app: ReturnType<typeof over>;
beforeEach(() => {
  store = new ModelStore(() => Date.now());
  app = over(store);
});

function over(store: ModelStore, more: object = {}) {
  return createApp(store, {
    ...{ maxValueBytes: MAX_VALUE_BYTES, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false, ...more },
  });
}

async function ask(path: string, init: RequestInit = {}, through = app): Promise<[number, unknown]> {
  const answer = await through.fetch(new Request(`http://kv/redis/${path}`, init));
  expect(answer.headers.get("Content-Type")).toBe("application/json");
  return [answer.status, await answer.json()];
}

const post = (body: unknown, path = "ns", headers = {}) =>
  ask(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers });
const result = async (...words: unknown[]) => {
  const [status, document] = await post(words);
  expect([status, document]).toMatchObject([200, {}]);
  return (document as { result: unknown }).result;
};
const error = async (...words: unknown[]) => {
  const [status, document] = await post(words);
  expect(status).toBe(400);
  return (document as { error: string }).error;
};

describe("a command", () => {
  test("is an array of text, numbers and booleans", async () => {
    expect(await result("SET", "n", 12)).toBe("OK");
    expect(await result("get", "n")).toBe("12");
    expect(await result("SET", "b", true)).toBe("OK");
    expect(await result("GET", "b")).toBe("true");
  });

  test("is a path, with a body as its last argument, and parameters behind that", async () => {
    expect(await ask("ns/set/a%2Fb/hello%20you")).toEqual([200, { result: "OK" }]);
    expect(await ask("ns/get/a%2Fb")).toEqual([200, { result: "hello you" }]);
    expect(await ask("ns/set/c?EX=100", { method: "POST", body: "of a body" })).toEqual([200, { result: "OK" }]);
    expect(await ask("ns/get/c", { method: "PUT" })).toEqual([200, { result: "of a body" }]);
    expect(await ask("ns/ttl/c")).toEqual([200, { result: 100 }]);
    expect(await ask("ns/set/c/new?NX")).toEqual([200, { result: null }]);
    expect(await ask("ns/set/d/?_token=kv_x&PX=9000&XX")).toEqual([200, { result: null }]);
    expect((await ask("ns/get/%zz"))[0]).toBe(400);
    expect((await ask("ns/get/%EF%BF%BD"))[0]).toBe(400);
  });

  test.each([
    ["ns", "{}", "is not a command"],
    ["ns", "[]", "is not a command"],
    ["ns", '[["GET"]]', "is not a command"],
    ["ns", "[null]", "is not a command"],
    ["ns", "nonsense", "is not JSON"],
    ["ns/pipeline", '["GET","a"]', "array of up to 1000 commands"],
    ["n+s", '["GET","a"]', "a namespace is"],
  ])("%s with %s is an error", async (path, body, text) => {
    const [status, document] = await post(body, path);
    expect([status, (document as { error: string }).error]).toEqual([400, expect.stringContaining(text)]);
  });

  test("by another method is a 405", async () => {
    expect(await ask("ns/get/a", { method: "DELETE" })).toEqual([405, { error: expect.any(String) }]);
  });

  test("that is not there, or has a key that can't be, is told without what it was given", async () => {
    expect(await error("LPUSH", "secret", "v")).toBe("ERR unknown command 'LPUSH', with args beginning with: ");
    for (const key of ["", ".", "..", "k".repeat(513)])
      expect(await error("GET", key)).toStartWith("ERR a key is 1 to 512");
  });
});

describe("an answer", () => {
  test("has text in base64 where that is asked for, but OK as it is", async () => {
    const headers = { "Upstash-Encoding": "base64" };
    const asked = async (...words: string[]) => (await post(words, "ns", headers))[1];
    expect(await asked("SET", "k", "OK")).toEqual({ result: "OK" });
    expect(await asked("GET", "k")).toEqual({ result: "T0s=" });
    expect(await asked("PING")).toEqual({ result: "UE9ORw==" });
    expect(await asked("MGET", "k", "none")).toEqual({ result: ["T0s=", null] });
    expect(await asked("NONE")).toEqual({ error: expect.stringContaining("unknown") });
  });

  test("has integers with all their digits", async () => {
    await result("SET", "n", "9007199254740992");
    const answer = await app.fetch(new Request("http://kv/redis/ns/incr/n"));
    expect(await answer.text()).toBe('{"result":9007199254740993}');
  });

  test("has another sync token after a write", async () => {
    const token = async (path: string, given: string) => {
      const headers = { "Upstash-Sync-Token": given };
      return (await app.fetch(new Request(`http://kv/redis/ns/${path}`, { headers }))).headers.get(
        "Upstash-Sync-Token",
      );
    };
    const first = await token("set/a/1", "");
    expect(first).toMatch(/^\w+$/);
    expect(await token("get/a", first as string)).toBe(first);
    expect(await token("set/a/2", first as string)).not.toBe(first);
  });
});

describe("a pipeline", () => {
  test("answers each command by itself, those on one key in their order", async () => {
    const commands = [
      ["SET", "a", "1"],
      ["INCR", "a"],
      ["GET", "a"],
      ["NONE"],
      ["DEL", "a", "b"],
      ["GET", "a"],
      ["DBSIZE"],
    ];
    const [status, answers] = await post(commands, "ns/pipeline");
    expect(status).toBe(200);
    const unknown = { error: expect.stringContaining("unknown command") };
    expect(answers).toEqual([
      { result: "OK" },
      { result: 2 },
      { result: "2" },
      unknown,
      { result: 1 },
      { result: null },
      { result: 0 },
    ]);
    expect(await post([], "ns/pipeline")).toEqual([200, []]);
  });

  test("holds no more values than an answer may have, and keeps back none that was removed", async () => {
    const large = "x".repeat(MAX_VALUE_BYTES);
    for (let i = 0; i < 200; i++) await result("SET", `k${i}`, large);
    const answers = (
      await post(
        Array.from({ length: 200 }, (_, i) => ["GET", `k${i}`]),
        "ns/pipeline",
      )
    )[1] as object[];
    expect(answers.filter((each) => "result" in each)).toHaveLength(128);
    expect(answers.filter((each) => "error" in each)).toHaveLength(72);
    expect(await error("MGET", ...Array.from({ length: 200 }, (_, i) => `k${i}`))).toContain("are at most");
    const removed = (
      await post(
        Array.from({ length: 200 }, (_, i) => ["GETDEL", `k${i}`]),
        "ns/pipeline",
      )
    )[1] as object[];
    const done = removed.filter((each) => "result" in each).length;
    expect(done).toBeGreaterThan(100);
    expect(await result("DBSIZE")).toBe(200 - done);
  });

  test("a large value is refused, whichever way it would come to be", async () => {
    const text = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    const large = "x".repeat(MAX_VALUE_BYTES);
    expect(await error("SET", "a", `${large}x`)).toBe(text);
    expect(await result("APPEND", "a", large)).toBe(MAX_VALUE_BYTES);
    expect(await error("APPEND", "a", "x")).toBe(text);
    expect(await error("SETRANGE", "a", String(MAX_VALUE_BYTES), "x")).toBe(text);
    expect(await error("SETRANGE", "b", "9223372036854775807", "x")).toBe(text);
    expect(await result("STRLEN", "a")).toBe(MAX_VALUE_BYTES);
    expect(await result("EXISTS", "b")).toBe(0);
  });
});

test("SET compares with what is there", async () => {
  expect(await result("SET", "k", "new", "IFEQ", "old")).toBe(null);
  expect(await result("SET", "k", "one", "IFNE", "old")).toBe("OK");
  expect(await result("SET", "k", "two", "IFNE", "one")).toBe(null);
  expect(await result("SET", "k", "two", "ifeq", "one", "GET", "EX", 100)).toBe("one");
  expect(await result("SET", "k", "three", "IFEQ", "two", "KEEPTTL")).toBe("OK");
  expect(await result("TTL", "k")).toBe(100);
  expect(await error("SET", "k", "v", "IFEQ", "a", "NX")).toBe("ERR syntax error");
});

test("what describes a value stays with what is made of it, and a SET replaces that", async () => {
  const describe = { contentType: "text/plain", metadata: '{"a":1}' };
  await store.put(Buffer.from("ns/k") as never, { value: Buffer.from("1"), ...describe, expiry: "never" });
  for (const words of [
    ["APPEND", "k", "0"],
    ["INCR", "k"],
    ["INCRBYFLOAT", "k", "1"],
    ["SETRANGE", "k", "0", "3"],
  ]) {
    await result(...words);
    expect(store.entry("ns/k")).toMatchObject(describe);
  }
  await result("SET", "k", "1");
  expect(store.entry("ns/k")).toMatchObject({ contentType: "application/octet-stream", metadata: null });
});

describe("tokens", () => {
  const made = {
    all: newToken(["read", "write"], "*"),
    reader: newToken(["read"], "ns"),
    writer: newToken(["write"], "ns"),
  };
  const tokens = new Tokens(Object.entries(made).map(([name, { entry }]) => ({ name, text: entry })));
  const as = (who: keyof typeof made, path: string) =>
    ask(path, { headers: { Authorization: `Bearer ${made[who].token}` } }, over(store, { tokens: () => tokens }));
  const denied = { error: expect.stringMatching(/^NOPERM /) };

  test("are Bearer or a parameter, and what has none is told so in Redis's words", async () => {
    const guarded = over(store, { tokens: () => tokens });
    const wrong = { error: "WRONGPASS invalid or missing auth token" };
    expect(await ask("ns/get/a", {}, guarded)).toEqual([401, wrong]);
    expect(await ask("ns/get/a?_token=kv_wrong", {}, guarded)).toEqual([401, wrong]);
    expect(await ask(`ns/set/a/1?_token=${made.all.token}`, {}, guarded)).toEqual([200, { result: "OK" }]);
    expect(await as("all", "ns/get/a")).toEqual([200, { result: "1" }]);
  });

  test("are for namespaces, and for reading or writing", async () => {
    expect(await as("reader", "other/get/a")).toEqual([403, denied]);
    expect(await as("reader", "ns/get/a")).toEqual([200, { result: null }]);
    for (const path of ["ns/set/a/1", "ns/incr/a", "ns/getdel/a", "ns/del/a"])
      expect(await as("reader", path)).toEqual([400, denied]);
    expect(await as("reader", "ns/scan/0")).toEqual([200, { result: ["0", []] }]);
    expect(await as("reader", "ns/ping")).toEqual([200, { result: "PONG" }]);
  });

  test("that write only are told nothing of what is there", async () => {
    const guarded = over(store, { tokens: () => tokens });
    const headers = { Authorization: `Bearer ${made.writer.token}` };
    const write = (...words: string[]) => ask("ns", { method: "POST", body: JSON.stringify(words), headers }, guarded);
    expect(await write("SET", "a", "1")).toEqual([200, { result: "OK" }]);
    for (const words of [["GET", "a"], ["SET", "a", "2", "GET"], ["GETDEL", "a"], ["GETSET", "a", "2"], ["DBSIZE"]]) {
      expect(await write(...words)).toEqual([400, denied]);
    }
  });
});

test("what the store can't do is told as it is, and of several keys what is true of all", async () => {
  const failing = (codes: Record<string, StoreError["code"]>) => {
    const apply = store.update.bind(store);
    store.update = (async (key, update, caller) => {
      const code = codes[key.toString()];
      if (code) throw new StoreError(code, "as the test says");
      return apply(key, update, caller);
    }) as typeof store.update;
  };
  failing({ "ns/a": "unavailable", "ns/b": "unavailable", "ns/u": "outcome_unknown" });
  expect(await ask("ns/incr/a")).toEqual([503, { error: expect.stringContaining("nothing was changed") }]);
  expect(await ask("ns/incr/u")).toEqual([503, { error: expect.stringContaining("outcome is not known") }]);
  expect(await ask("ns/del/a/b")).toEqual([503, { error: expect.stringContaining("nothing was changed") }]);
  expect(await ask("ns/del/a/c")).toEqual([503, { error: expect.stringContaining("outcome is not known") }]);
});

test("SCAN goes on where it ended, and only with a cursor of the namespace", async () => {
  for (let i = 0; i < 25; i++) await result("SET", `user:${i}`, i);
  await result("SET", "other", 1);
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = (await result("SCAN", cursor, "MATCH", "user:*", "COUNT", 7)) as [string, string[]];
    found.push(...keys);
    cursor = next;
  } while (cursor !== "0");
  expect(found.toSorted()).toEqual(Array.from({ length: 25 }, (_, i) => `user:${i}`).toSorted());
  const [next] = (await result("SCAN", "0", "COUNT", 3)) as [string];
  expect((await post(["SCAN", next], "elsewhere"))[1]).toEqual({ error: "ERR invalid cursor" });
  expect(await error("SCAN", "5")).toBe("ERR invalid cursor");
});

test.each([
  ["*", "a", true],
  ["a*c*", "abcd", true],
  ["a*d", "abc", false],
  ["h[^a-c]llo", "hello", true],
  ["h[c-a]llo", "hbllo", true],
  ["h\\*", "h*", true],
  ["[\\]]", "]", true],
  ["[abc", "c", true],
  ["a\\", "a\\", true],
  ["?", "", false],
  [`${"*a".repeat(30)}b`, "a".repeat(500), false],
])("pattern %s on %s: %s", (pattern, text, holds) => {
  expect(matchesGlob(Buffer.from(pattern), Buffer.from(text))).toBe(holds);
  if (holds) expect(text.startsWith(literalPrefix(Buffer.from(pattern)).toString())).toBe(true);
});
