// Commands and scripts made of pieces that go wrong somewhere, to a server of their own: whatever comes, there is no 5xx,
// nothing hangs, nothing grows, and a script that is stopped changes nothing.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { residentMb } from "./memory.ts";
import { Random } from "./robustness/random.ts";
import { targets } from "./targets.ts";

const REQUESTS = 2_500;
const AT_ONCE = 16;
const HANGS_MS = 30_000;
const SLACK_MB = 100;
const NAMESPACE = `redisfuzz${Date.now()}`;

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
const random = new Random(seed);
const one = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random.below(most + 1) }, make);

const NAMES = [
  ..."GET SET SETEX PSETEX SETNX GETSET GETDEL GETEX MGET MSET MSETNX APPEND STRLEN GETRANGE SETRANGE INCR DECR".split(
    " ",
  ),
  ..."INCRBY DECRBY INCRBYFLOAT DEL UNLINK EXISTS TOUCH TYPE EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL".split(" "),
  ..."EXPIRETIME PEXPIRETIME PERSIST SCAN DBSIZE PING ECHO TIME EVAL EVALSHA SCRIPT HSET HGET HMGET HGETALL".split(" "),
  ..."FLUSHALL CONFIG eval get \u0000 toString __proto__ constructor".split(" "),
];
const WORDS = [
  ..."a b c k{1} NX XX GET EX PX EXAT KEEPTTL IFEQ GT LT MATCH COUNT LOAD * [ [^ \\ *a*a*a*a*b inf nan 1e999 0x1p5".split(
    " ",
  ),
  ..."-1 0 1 2 100 9223372036854775807 -9223372036854775808 18446744073709551616 1e400 .5 1795767693000".split(" "),
  ...["", " ", "é", "\ud800", "\u0000", "x".repeat(600), "y".repeat(100_000), "constructor", "__proto__"],
];
const word = () => one<unknown>([...WORDS, 0, 1.5, -1e21, true]);
const command = () => [one(NAMES), ...some(6, word)];

const LINES = [
  ..."redis.call('SET', KEYS[1], 'x')|redis.call('INCR', KEYS[1])|local v = redis.pcall('GET', KEYS[1])".split("|"),
  ..."redis.call('HSET', KEYS[1], 'a', ARGV[1])|redis.call(unpack(ARGV))|redis.pcall()|redis.call({}, nil)".split("|"),
  ..."return {1, {2, {3}}}|return redis.error_reply(ARGV[1])|return setmetatable({}, {__index = error})".split("|"),
  ..."error({err = ARGV[1]})|error()|local t = {} t[t] = t|return string.rep(ARGV[1], 1000)|return KEYS|return _ENV".split(
    "|",
  ),
  ..."local s = ARGV[1] for i = 1, 30 do s = s .. s end|for i = 1, 1e9 do pcall(error, i) end|return 1 / 0".split("|"),
  ..."return tostring(print)|pcall(string.rep, 'x', -1)|string.format('%d %s %q', 1, {}, nil)|return -(0 / 0)".split(
    "|",
  ),
  ..."local function f(n) return f(n + 1) + 1 end f(1)|table.insert({}, 1e9, 1)|table.concat({{}}, 1)|goto x".split(
    "|",
  ),
  ..."((|end end|return '\\xff\\0'|--[[|local a <const> = 1|return #ARGV % 0|return 1 // 0|return 1 << 99".split("|"),
];
const script = () => ["EVAL", some(4, () => one(LINES)).join("\n"), one([0, 1, 2]), "s1", "s2", ...some(3, word)];

/** A request's path and body. */
function request(): [path: string, body: string | undefined] {
  const kind = random.below(10);
  if (kind < 3) return ["", JSON.stringify(command())];
  if (kind < 5) return ["", JSON.stringify(script())];
  if (kind < 7) return ["/pipeline", JSON.stringify(some(20, () => one([command, script])()))];
  if (kind < 8) return ["/multi-exec", JSON.stringify(some(5, command))];
  if (kind < 9)
    return [
      `/${command()
        .map((each) => encodeURIComponent(String(each).toWellFormed()))
        .join("/")}`,
      undefined,
    ];
  return [
    one(["", "/pipeline", "/get/%zz", "/set/a/b?EX", "//", "/?_token=%"]),
    one(["", "{", "[[[]]]", "[[1]]", "null", '["GET"']),
  ];
}

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({
    DATABASE_URL: targets.vitess.databaseUrl,
    KV_SWEEP: "false",
    KV_MAX_VALUE_BYTES: "200000",
  });
});
afterAll(() => server?.stop());

test(`${REQUESTS} requests, FUZZ_SEED=${seed}`, async () => {
  let left = REQUESTS;
  let memoryMb = 0;
  const url = `${server.url.replace(/\/$/, "")}/redis/${NAMESPACE}`;
  const client = async () => {
    while (left-- > 0) {
      if (left === Math.floor(REQUESTS / 2)) memoryMb = residentMb(server.pid);
      const [path, body] = request();
      const init = { ...(body !== undefined && { method: "POST", body }), signal: AbortSignal.timeout(HANGS_MS) };
      const answer = await fetch(url + path, init);
      const text = await answer.text();
      expect(`${answer.status} to ${path} ${body}`).toMatch(/^(?:200|400|404|405|413|431) /);
      if (answer.headers.get("Content-Type") === "application/json") JSON.parse(text);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  expect(residentMb(server.pid)).toBeLessThan(1.5 * memoryMb + SLACK_MB);
});

test("a script that never ends is stopped, however it goes about it, and changes nothing", async () => {
  const url = `${server.url.replace(/\/$/, "")}/redis/${NAMESPACE}`;
  const ask = async (...words: unknown[]) => {
    const answer = await fetch(url, {
      method: "POST",
      body: JSON.stringify(words),
      signal: AbortSignal.timeout(HANGS_MS),
    });
    return (await answer.json()) as { result?: unknown; error?: string };
  };
  await ask("SET", "kept", "before");
  const endless = ["while true do end", "while true do pcall(error) end", "local s = 'x' while true do s = s .. s end"];
  const answers = await Promise.all(
    endless.map((source) => ask("EVAL", `redis.call('SET', KEYS[1], 'after') ${source}`, 1, "kept")),
  );
  for (const { error } of answers) expect(error).toMatch(/^ERR (?:a script|the texts)/);
  expect(await ask("GET", "kept")).toEqual({ result: "before" });
});
