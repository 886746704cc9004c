// Scripts and transactions over the model store: what a script gets at, what it returns, its bounds, and that what fails
// changes nothing.

import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../../../app.ts";
import { ModelStore } from "../../../store/model.ts";

let app: ReturnType<typeof createApp>;
beforeEach(() => {
  // A shard has the keys whose names tell that they are far, and another has the others.
  const shardOf = (key: Buffer) => (key.includes("far") ? "far" : "near");
  app = createApp(new ModelStore(() => Date.now(), shardOf), {
    ...{ maxValueBytes: 64 * 1024, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false },
  });
});

async function post(document: unknown, path = "ns"): Promise<[number, { result?: unknown; error?: string }]> {
  const answer = await app.fetch(
    new Request(`http://kv/redis/${path}`, { method: "POST", body: JSON.stringify(document) }),
  );
  return [answer.status, (await answer.json()) as object];
}
const result = async (...words: unknown[]) => (await post(words))[1].result;
const error = async (...words: unknown[]) => (await post(words))[1].error;
/** With the key `k` and the argument `7`. */
const run = (source: string) => result("EVAL", source, 1, "k", 7);
const failure = (source: string) => error("EVAL", source, 1, "k", 7);

describe("a script", () => {
  test.each([
    ["return 1", 1],
    ["return 3.99", 3],
    ["return true", 1],
    ["return false", null],
    ["return nil", null],
    ["return {1, 'x', {2}}", [1, "x", [2]]],
    ["return {1, nil, 3}", [1]],
    ["return KEYS[1] .. ARGV[1] .. #KEYS", "k71"],
    ["return redis.status_reply('FINE')", "FINE"],
    ["return redis.call('SET', KEYS[1], 'v')", "OK"],
    ["return redis.call('GET', KEYS[1]) == false", 1],
    ["return redis.call('PTTL', KEYS[1])", -2],
    ["return redis.pcall('NONE').err", "ERR unknown command 'NONE', with args beginning with: "],
    ["redis.call('SET', KEYS[1], 1795767693000) return redis.call('GET', KEYS[1])", "1795767693000"],
    ["redis.call('SET', KEYS[1], 10 / 4) return redis.call('GET', KEYS[1])", "2.5"],
    ["return redis.sha1hex('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["return 1209600000 * 2 + 1000", 2_419_201_000],
    ["return tostring(20000 / 2) .. ' ' .. tonumber('3000000000') + ARGV[1]", "10000 3000000007"],
    ["return math.floor(2.5) .. math.ceil(2.1) .. math.max(1, 2)", "232"],
    ["return string.format('%d-%5.1f-%s', 1795767693000, 2.25, 'x')", "1795767693000-  2.3-x"],
    ["return table.concat({1, 2, 'x'}, ',') .. ('ab'):rep(2):upper()", "1,2,xABAB"],
    ["local t = {} for i, v in ipairs({5, 6}) do t[#t + 1] = i * 1000000000 * v end return t", [5e9, 12e9]],
    ["return {unpack({1, 2})}", [1, 2]],
    ["#!lua flags=allow-key-locking\nreturn 5", 5],
  ])("%s", async (source, expected) => {
    expect(await run(source)).toEqual(expected);
  });

  test.each([
    ["error('boom')", /boom/],
    ["error({err = 'MINE x'})", /^MINE x$/],
    ["return redis.error_reply('MINE y')", /^MINE y$/],
    ["return redis.call('INCRBY', KEYS[1], 'x')", /^ERR value is not an integer/],
    ["return redis.call('GET', 'other')", /non local key/],
    ["return redis.call('SCAN', 0)", /not allowed from script/],
    ["return redis.call('EVAL', 'return 1', 0)", /unknown command/],
    ["return redis.call({})", /arguments must be strings or integers/],
    ["x = 1", /readonly table/],
    ["return x", /nonexistent global variable 'x'/],
    ["string.rep = nil", /readonly table/],
    ["setmetatable(_ENV, {})", /protected/],
    ["getmetatable('').__index = 1", /index/],
    ["return load('return 1')", /'load'/],
    ["return require('fs')", /'require'/],
    ["return os.time()", /'os'/],
    ["return ('x'):find('x')", /nil value/],
    ["return ((", /Error compiling script/],
    ["#!js\nreturn 1", /Unexpected engine/],
  ])("%s is an error", async (source, text) => {
    expect(await failure(source)).toMatch(text);
  });

  test.each([
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() return f() end f()",
    "local s = 'x' while true do s = s .. s end",
    "return string.rep('x', 1e9)",
    "return ('x'):rep(1e9)",
    "return string.format(('%s'):rep(90), unpack({(('x'):rep(1e6))}))",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} while true do table.insert(t, 1, 1) end",
    "local t, s = {}, ('x'):rep(1e6) for i = 1, 1000 do t[i] = s end return table.concat(t)",
    "return {unpack({}, 1, 1e8)}",
    "return ('x'):rep(1e6):byte(1, -1)",
    "local t = {} t.t = t while true do t = {t, t} end",
  ])("%s is stopped, and changes nothing", async (source) => {
    const began = performance.now();
    expect(await failure(`redis.call('SET', KEYS[1], 'changed') ${source}`)).toMatch(/^ERR /);
    expect(await result("GET", "k")).toBe(null);
    // Far more than it may take, and far less than for ever.
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test("that fails has changed nothing", async () => {
    await result("SET", "k", "before");
    expect(await failure("redis.call('SET', KEYS[1], 'after') error('no')")).toMatch(/no/);
    expect(await result("GET", "k")).toBe("before");
    // What it takes note of, and goes on after, is no failure.
    expect(await run("redis.pcall('INCR', KEYS[1]) redis.call('SET', KEYS[1], 'after') return 1")).toBe(1);
    expect(await result("GET", "k")).toBe("after");
  });

  test("leaves nothing for the next one", async () => {
    await run("local t = {} t.x = 1 return KEYS[1]");
    expect(await run("return #KEYS + #ARGV")).toBe(2);
    expect(await result("EVAL", "return #KEYS + #ARGV", 0)).toBe(0);
  });

  test.each(["limit", "far limit"])("reads several keys and changes one: %s", async (limit) => {
    await result("SET", limit, 3);
    const source =
      "local n = redis.call('INCR', KEYS[2]) if n > tonumber(redis.call('GET', KEYS[1])) then return -1 end return n";
    const calls = Array.from({ length: 5 }, () => result("EVAL", source, 2, limit, "n"));
    expect((await Promise.all(calls)).map(Number).toSorted((a, b) => a - b)).toEqual([-1, -1, 1, 2, 3]);
    expect(await result("MGET", limit, "n")).toEqual(["3", "5"]);
  });

  test("changes several keys of one shard, and reads others", async () => {
    await result("MSET", "a", 1, "b", 2);
    await result("SET", "far", 10);
    const source =
      "for i = 1, 2 do redis.call('INCRBY', KEYS[i], redis.call('GET', KEYS[3])) end return redis.call('GET', KEYS[2])";
    expect(await result("EVAL", source, 3, "a", "b", "far")).toBe("12");
    expect(await result("MGET", "a", "b", "far")).toEqual(["11", "12", "10"]);
    expect(await error("EVAL", source, 3, "a", "far", "b")).toBe(
      "CROSSSLOT Keys that are changed together must be in one shard; nothing was changed",
    );
    expect(await result("MGET", "a", "b", "far")).toEqual(["11", "12", "10"]);
  });

  test("is known by its digest once it was run or loaded", async () => {
    const source = "return 'known'";
    const sha = "3ff8a0ae7e6a4df0b12d3e9a9ee1ca2d64ba83c4";
    expect(await error("EVALSHA", sha, 0)).toBe("NOSCRIPT No matching script. Please use EVAL.");
    const loaded = await result("SCRIPT", "LOAD", source);
    expect(await result("EVALSHA", loaded, 0)).toBe("known");
    expect(await result("evalsha", String(loaded).toUpperCase(), 0)).toBe("known");
    // Where it is kept, nobody reads it as a key.
    expect(await result("DBSIZE")).toBe(0);
  });

  test.each([
    [["EVAL", "return 1"], "ERR wrong number of arguments for 'eval' command"],
    [["EVAL", "return 1", "x"], "ERR value is not an integer or out of range"],
    [["EVAL", "return 1", -1], "ERR Number of keys can't be negative"],
    [["EVAL", "return 1", 1], "ERR Number of keys can't be greater than number of args"],
    [["SCRIPT", "FLUSH"], expect.stringContaining("unknown subcommand")],
  ])("%j is refused", async (words, text) => {
    expect(await error(...words)).toEqual(text);
  });

  test("in a pipeline has its turn", async () => {
    const add = ["EVAL", "return redis.call('INCR', KEYS[1])", 1, "k"];
    const [, answers] = await post([["SET", "k", 5], add, ["GET", "k"], add, ["DEL", "k"], add], "ns/pipeline");
    expect((answers as { result: unknown }[]).map(({ result }) => result)).toEqual(["OK", 6, "6", 7, 1, 1]);
  });
});

describe("hashes, as scripts need them", () => {
  test("hold fields, and are no text", async () => {
    expect(await result("HSET", "h", "a", "1", "b", "é")).toBe(2);
    expect(await result("HSET", "h", "a", "2", "c", "3")).toBe(1);
    expect(await result("HMGET", "h", "a", "none", "b")).toEqual(["2", null, "é"]);
    expect(await result("HGET", "h", "c")).toBe("3");
    expect(await result("HGETALL", "h")).toEqual(["a", "2", "b", "é", "c", "3"]);
    expect([await result("HGETALL", "none"), await result("HGET", "none", "x")]).toEqual([[], null]);
    expect([await result("TYPE", "h"), await result("EXISTS", "h"), await result("PEXPIRE", "h", 1e6)]).toEqual([
      "hash",
      1,
      1,
    ]);
    expect(await result("SCAN", "0", "TYPE", "hash")).toEqual(["0", ["h"]]);
    const wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for (const words of [
      ["GET"],
      ["APPEND", "x"],
      ["INCR"],
      ["GETDEL"],
      ["STRLEN"],
      ["GETRANGE", 0, 1],
      ["INCRBYFLOAT", 1],
    ]) {
      expect(await error(words[0], "h", ...words.slice(1))).toBe(wrong);
    }
    expect(await error("SET", "h", "v", "GET")).toBe(wrong);
    expect(await result("MGET", "h")).toEqual([null]);
    await result("SET", "h", "text");
    expect(await error("HGET", "h", "a")).toBe(wrong);
  });
});

describe("a transaction", () => {
  const transact = (...commands: unknown[][]) => post(commands, "ns/multi-exec");

  test("answers each command, and goes on after one that fails", async () => {
    await result("SET", "k", "x");
    const [status, answers] = await transact(["INCR", "k"], ["APPEND", "k", "y"], ["INCRBY", "k", "z"], ["GET", "k"]);
    const notInteger = { error: "ERR value is not an integer or out of range" };
    expect([status, answers]).toEqual([200, [notInteger, { result: 2 }, notInteger, { result: "xy" }]] as never);
  });

  test("does not happen where one of its commands does not exist", async () => {
    const aborted = { error: "EXECABORT Transaction discarded because of previous errors." };
    expect(await transact(["SET", "k", "1"], ["NONE"])).toEqual([400, aborted]);
    expect(await transact(["SET", "k", "1"], ["GET"])).toEqual([400, aborted]);
    expect(await result("GET", "k")).toBe(null);
  });

  test("of several keys happens where one shard has those that it changes", async () => {
    await result("SET", "a", "1");
    expect(await transact(["SET", "a", "3"], ["SET", "b", "2"], ["MGET", "a", "b", "far"])).toEqual([
      200,
      [{ result: "OK" }, { result: "OK" }, { result: ["3", "2", null] }],
    ] as never);
    const [status, { error }] = await transact(["SET", "a", "4"], ["SET", "far", "4"]);
    expect([status, error]).toEqual([400, expect.stringMatching(/^CROSSSLOT /)]);
    expect(await result("MGET", "a", "b", "far")).toEqual(["3", "2", null]);
    expect(await transact()).toEqual([200, []] as never);
  });
});

test("values that are too large to be written together are left as they were", async () => {
  const keys = Array.from({ length: 80 }, (_, i) => `k${i}`);
  await post(
    keys.map((key) => ["SET", key, "x".repeat(60_000)]),
    "ns/pipeline",
  );
  const [status, { error }] = await post(
    keys.map((key) => ["APPEND", key, "y"]),
    "ns/multi-exec",
  );
  expect([status, error]).toEqual([400, expect.stringContaining("changed together have at most")]);
  expect(await result("STRLEN", "k0")).toBe(60_000);
});

test("MSET and MSETNX set all keys or none", async () => {
  expect(await result("MSET", "k", "1", "k", "2", "l", "3")).toBe("OK");
  expect(await result("MSETNX", "n", "1", "k", "3")).toBe(0);
  expect(await result("MSETNX", "n", "1", "m", "1")).toBe(1);
  expect(await error("MSET", "k", "4", "far", "4")).toStartWith("CROSSSLOT ");
  expect(await error("MSET", "a")).toBe("ERR wrong number of arguments for 'mset' command");
  expect(await result("MGET", "k", "l", "n", "m", "far")).toEqual(["2", "3", "1", "1", null]);
});
