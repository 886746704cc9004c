// Random sequences of commands that a real redis-server and the REST interface are to answer alike.

import fc from "fast-check";
import type { Answer, Result } from "./server.ts";

/** What the answers to a command are compared by: times move on between two servers. */
const SECONDS = new Set(["TTL", "EXPIRETIME"]);
const MILLISECONDS = new Set(["PTTL", "PEXPIRETIME"]);

const KEYS = ["a", "b", "k{x}", "\u00e9\u0000"];
const key = fc.constantFrom(...KEYS);
const number = fc.constantFrom(
  "0",
  "1",
  "-1",
  "7",
  "10",
  "-3",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
);
const notNumber = fc.constantFrom("", "x", " 1", "01", "+1", "-0", "1.0", "1e3");
const integer = fc.oneof({ weight: 6, arbitrary: number }, { weight: 1, arbitrary: notNumber });
const index = fc.constantFrom(
  "0",
  "1",
  "2",
  "5",
  "-1",
  "-2",
  "-9",
  "100",
  "9223372036854775807",
  "-9223372036854775808",
  "x",
);
const text = fc.constantFrom(
  "",
  "v",
  "hello",
  "12",
  "-5",
  "3.5",
  "1e2",
  "9223372036854775806",
  "\u00ff\u0000\u0001",
  "OK",
);
const float = fc.constantFrom(
  "0.1",
  "0.2",
  "-1.5",
  "1e3",
  "3",
  "5e-324",
  "1e17",
  "-0.000001",
  ".5",
  "7.",
  "inf",
  "nan",
  "x",
  "1e5000",
  "",
);
const option = (word: string) => fc.constantFrom(word, word.toLowerCase());

/** Beyond any test's end, or past: what expires meanwhile is no matter of chance. */
const instant = fc.integer({ min: 1, max: 40 }).map((n) => 4_000_000_000 + n * 1000);
const past = fc.constantFrom("1", "1000");
const wrong = fc.constantFrom("0", "-1", "x", "9223372036854775807");
/** Of these, Redis takes an instant of any year, and the store one within 100 years. */
const wrongMilliseconds = fc.constantFrom("0", "-1", "x", "9223372036854775808");

let lifetimes = 0;
/** No two are alike, so that which of two ends first is beyond doubt. */
const lifetime = fc.constant(0).map(() => {
  lifetimes = (lifetimes + 1) % 10_000;
  return 1_000 + lifetimes * 10;
});

const setExpiry = fc.oneof(
  { weight: 6, arbitrary: fc.constant<string[]>([]) },
  fc.tuple(option("EX"), fc.oneof({ weight: 4, arbitrary: lifetime.map(String) }, wrong)),
  fc.tuple(option("PX"), fc.oneof({ weight: 4, arbitrary: lifetime.map((s) => String(s * 1000)) }, wrong)),
  fc.tuple(option("EXAT"), fc.oneof({ weight: 4, arbitrary: instant.map(String) }, past, wrong)),
  fc.tuple(
    option("PXAT"),
    fc.oneof({ weight: 4, arbitrary: instant.map((s) => String(s * 1000)) }, past, wrongMilliseconds),
  ),
);
const setOptions = fc
  .array(
    fc.oneof(
      setExpiry,
      fc.tuple(option("NX")),
      fc.tuple(option("XX")),
      fc.tuple(option("GET")),
      fc.tuple(option("KEEPTTL")),
      { weight: 1, arbitrary: fc.constantFrom(["EX"], ["nope"], ["persist"]) },
    ),
    { maxLength: 3 },
  )
  .map((all) => all.flat());
const getExOptions = fc.oneof(
  setExpiry,
  fc.tuple(option("PERSIST")),
  fc.constantFrom<string[]>(["PERSIST", "EX", "9"], ["nope"], ["KEEPTTL"]),
);
const conditions = fc
  .array(fc.constantFrom("NX", "XX", "GT", "LT", "gt", "nope"), { maxLength: 2 })
  .map((all) => all.filter((each, i) => each !== "nope" || i === 0));

const words = (...parts: fc.Arbitrary<string | string[]>[]) => fc.tuple(...parts).map((all) => all.flat());
const name = (command: string) => fc.constantFrom(command, command.toLowerCase());
const keys = fc.array(key, { minLength: 1, maxLength: 4 });

const command: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 3, arbitrary: words(name("GET"), key) },
  { weight: 6, arbitrary: words(name("SET"), key, text, setOptions) },
  words(name("SETNX"), key, text),
  words(name("SETEX"), key, fc.oneof(lifetime.map(String), wrong), text),
  words(
    name("PSETEX"),
    key,
    fc.oneof(
      lifetime.map((s) => String(s * 1000)),
      wrong,
    ),
    text,
  ),
  words(name("GETSET"), key, text),
  words(name("GETDEL"), key),
  { weight: 2, arbitrary: words(name("GETEX"), key, getExOptions) },
  words(name("MGET"), keys),
  words(name("APPEND"), key, text),
  words(name("STRLEN"), key),
  words(name("GETRANGE"), key, index, index),
  words(name("SETRANGE"), key, index, text),
  words(fc.constantFrom("INCR", "DECR", "incr"), key),
  { weight: 2, arbitrary: words(fc.constantFrom("INCRBY", "DECRBY"), key, integer) },
  { weight: 2, arbitrary: words(name("INCRBYFLOAT"), key, float) },
  words(fc.constantFrom("DEL", "UNLINK", "EXISTS", "TOUCH"), keys),
  words(name("TYPE"), key),
  words(fc.constantFrom("EXPIRE"), key, fc.oneof(lifetime.map(String), wrong), conditions),
  words(
    fc.constantFrom("PEXPIRE"),
    key,
    fc.oneof(
      lifetime.map((s) => String(s * 1000)),
      wrong,
    ),
    conditions,
  ),
  words(fc.constantFrom("EXPIREAT"), key, fc.oneof(instant.map(String), past, wrong), conditions),
  words(
    fc.constantFrom("PEXPIREAT"),
    key,
    fc.oneof(
      instant.map((s) => String(s * 1000)),
      past,
      wrongMilliseconds,
    ),
    conditions,
  ),
  { weight: 4, arbitrary: words(fc.constantFrom("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), key) },
  words(name("PERSIST"), key),
  words(name("DBSIZE")),
  words(name("PING"), fc.constantFrom([], ["hello"], ["a", "b"])),
  words(name("ECHO"), text),
  // Of SCAN, what it finds at one go; cursors are each server's own.
  words(
    name("SCAN"),
    fc.constant("0"),
    fc.constantFrom(
      [],
      ["MATCH", "*"],
      ["match", "[a-b]"],
      ["MATCH", "k\\{*"],
      ["COUNT", "0"],
      ["COUNT", "x"],
      ["nope", "1"],
      ["MATCH"],
      ["TYPE", "string"],
    ),
    fc.constant(["COUNT", "1000"]),
  ),
  // Too few arguments, or too many.
  fc
    .tuple(
      fc.constantFrom("GET", "SET", "INCR", "EXPIRE", "MGET", "TTL", "APPEND", "GETRANGE", "SETEX", "DBSIZE", "ECHO"),
      fc.array(text.filter(Boolean), { maxLength: 1 }),
    )
    .map(([first, rest]) => [first, ...rest]),
  words(fc.constantFrom("GET", "GETDEL", "STRLEN", "PERSIST", "INCR"), key, key),
);

export const sequence = fc.array(command, { minLength: 1, maxLength: 24, size: "max" });

/** Whether both have said the same, times within what passes between two servers. */
export function isSame([first = "", second]: string[], ours: Answer | undefined, theirs: Answer): boolean {
  const name = first.toUpperCase();
  const [a, b] = [ours && "result" in ours ? ours.result : ours, "result" in theirs ? theirs.result : theirs];
  if (typeof a === "number" && typeof b === "number" && Math.min(a, b) > 0) {
    if (SECONDS.has(name)) return Math.abs(a - b) <= 2;
    if (MILLISECONDS.has(name)) return Math.abs(a - b) <= 2_000;
  }
  // Redis counts keys that have expired and that nobody has touched since.
  if (name === "DBSIZE" && typeof a === "number" && typeof b === "number") return a <= b;
  if (name === "SCAN" && Array.isArray(a) && Array.isArray(b) && second === "0") {
    return Bun.deepEquals([a[0], sorted(a[1])], [b[0], sorted(b[1])]);
  }
  return Bun.deepEquals(ours, theirs);
}

function sorted(keys: Result | undefined): Result[] {
  return (keys as string[]).toSorted();
}
