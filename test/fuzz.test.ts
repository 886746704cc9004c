// Requests made of pieces that go wrong somewhere: targets, hosts, headers and bodies as bytes, over sockets. Whatever comes,
// there is no 5xx of ours, nothing hangs, and each write that was acknowledged is under the key whose bytes were sent.

import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { targets } from "./targets.ts";

const AT_ONCE = 32;
/** Of a connection, for an answer; one that is not whole is given up sooner. */
const HANGS_MS = 15_000;
const GIVEN_UP_MS = 200;
/** Bun's own answers, before the app sees a request (see src/http/README.md). */
const OF_THE_RUNTIME = [501, 505];

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
let state = seed;
/** Mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const upTo = (n: number) => Math.floor(random() * n);
const one = <T>(of: readonly T[]): T => of[upTo(of.length)] as T;
const rarely = <T>(common: T, rare: readonly T[]): T => (random() < 0.15 ? one(rare) : common);

const PREFIXES = [
  "/v1/kv//",
  "//v1/kv/",
  "/v1\\kv/",
  "/x/../v1/kv/",
  "http://h/v1/kv/",
  "/v1/kv/./",
  "/V1/kv/",
  "v1/kv/",
];
const ATOMS = [
  ...[
    "a",
    "b",
    "%41",
    "%2F",
    "%2e",
    "%5C",
    "%00",
    "%ff",
    "%C3%A9",
    "%EF%BF%BD",
    "%ef%bf%bd",
    "%25",
    "+",
    ";",
    "=",
    "|",
  ],
  ...[
    "\xe9",
    "\xc3\xa9",
    "\xff",
    "\\",
    "..",
    ".",
    "/",
    "\\..\\",
    "/../",
    "%",
    "%z",
    "%4",
    "#",
    "?",
    '"',
    "<",
    "ttl",
    "/ttl",
  ],
];
const QUERIES = ["?ttl=60", "?keep_ttl=true", "?ttl=60&ttl=5", "?ttl=-1", "?x=y", "?\\..\\", "?ttl=6\xe9", "?", "#f"];
const HOSTS = ["", "localhost:1", "[", "h:99999", "evil", "localhost\r\nHost: localhost", "a b", "localhost/v1/kv/x/y"];
const HEADERS = [
  ...[
    "If-None-Match: *",
    "If-Match: *",
    "If-None-Match: garbage",
    'If-Match: "0123"',
    'KV-Metadata: {"a":1}',
    "KV-Metadata: {",
  ],
  ...["Content-Type: a/b\r\nContent-Type: c/d", "Content-Type: \xff", "Content-Encoding: gzip", "A B: c", "X: a\r\n b"],
  ...[
    "Expect: 100-continue",
    `X: ${"x".repeat(9_000)}`,
    "X-Request-Id: \x7f",
    "Connection: upgrade",
    "Upgrade: h2c",
    ":: x",
  ],
];
const METHODS = ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "put", "PATCH", "P\xffT", "PRI"];

interface Request {
  bytes: Buffer;
  method: string;
  target: string;
  /** Whether the server can see where it ends. */
  isWhole: boolean;
}

function makeRequest(namespace: string): Request {
  const key = Array.from({ length: 1 + upTo(4) }, () =>
    random() < 0.6 ? one(["k", "x", "7", "%6B"]) : one(ATOMS),
  ).join("");
  const target = `${rarely("/v1/kv/", PREFIXES)}${rarely(namespace, [`%66${namespace.slice(1)}`, `${namespace}.`])}/${key}${rarely("", QUERIES)}`;
  const method = rarely("PUT", METHODS);
  const version = rarely("HTTP/1.1", ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/1.9", "HTP/1.1"]);
  const host = version === "HTTP/1.0" && random() < 0.5 ? "" : `Host: ${rarely("localhost", HOSTS)}\r\n`;
  const more = random() < 0.25 ? `${one(HEADERS)}\r\n` : "";
  const value = "v".repeat(upTo(20));
  const chunk = `${value.length.toString(16)}\r\n${value}\r\n`;
  const bodies: [headers: string, body: string, isWhole: boolean][] = [
    [`Content-Length: ${value.length}\r\n`, value, true],
    ["Transfer-Encoding: chunked\r\n", value === "" ? "0\r\n\r\n" : `${chunk}0\r\n\r\n`, true],
    ["Transfer-Encoding: chunked\r\n", `zz\r\n${value}\r\n0\r\n\r\n`, false],
    ["Transfer-Encoding: chunked\r\n", `${chunk}0\r\nTrailer: x\r\n\r\n`, true],
    ["Transfer-Encoding: chunked\r\n", chunk, false],
    [`Transfer-Encoding: chunked\r\nContent-Length: ${value.length}\r\n`, `${chunk}0\r\n\r\n`, false],
    [`Content-Length: ${value.length + 5}\r\n`, value, false],
    ["Content-Length: -1\r\n", value, false],
    [`Content-Length: ${value.length}\r\nContent-Length: 1\r\n`, value, false],
    ["Transfer-Encoding: xchunked\r\n", `${chunk}0\r\n\r\n`, false],
  ];
  const [length, body, isWhole] = random() < 0.8 ? (bodies[0] as (typeof bodies)[0]) : one(bodies);
  const text = `${method} ${target} ${version}\r\n${host}Connection: close\r\n${more}${length}\r\n${body}`;
  return { bytes: Buffer.from(text, "latin1"), method, target, isWhole };
}

/** The key whose bytes were sent, if the target names one. */
function keyOf(target: string): string | undefined {
  const path = target.replace(/^http:\/\/h/, "").split("?")[0] as string;
  const [, ns, key] = /^\/v1\/kv\/([^/#]+)\/([^/#]+)$/.exec(path) ?? [];
  if (ns === undefined || key === undefined) return undefined;
  const bytes = (segment: string) =>
    segment.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return `${bytes(ns)}/${bytes(key)}`;
}

/** The status of the answer; 0 where the connection was closed without one, undefined where it hangs. */
function send(port: number, { bytes, isWhole }: Request): Promise<number | undefined> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(
      () => {
        if (isWhole) resolve(undefined);
        socket.destroy();
      },
      isWhole ? HANGS_MS : GIVEN_UP_MS,
    );
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Number(answer.split("HTTP/1.1 ").at(-1)?.slice(0, 3)) || 0);
    });
  });
}

const COUNT = 20_000;

let server: RunningServer | undefined;
afterAll(() => server?.stop());

test(`${COUNT} requests, seed ${seed}`, async () => {
  server = await startServer({ DATABASE_URL: targets.vitess.databaseUrl, KV_SWEEP: "false" });
  const port = Number(new URL(server.url).port);
  const namespace = `fuzz-${seed}`;
  const expected = new Set<string>();
  const possible = new Set<string>();
  const wrong: unknown[] = [];
  let memoryMb = 0;
  let left = COUNT;
  const sender = async () => {
    while (left > 0) {
      left -= 1;
      // What the first requests leave behind is no growth.
      if (left === Math.floor(COUNT / 2)) memoryMb = residentMb(server as RunningServer);
      const request = makeRequest(namespace);
      const status = await send(port, request);
      const { method, target } = request;
      if (status === undefined) wrong.push({ hangs: request.bytes.toString("latin1") });
      else if (status >= 500 && !OF_THE_RUNTIME.includes(status)) wrong.push({ status, method, target });
      const key = keyOf(target);
      if (key !== undefined && method === "PUT") possible.add(key);
      if (status !== 204 || method !== "PUT") continue;
      if (key === undefined) wrong.push({ status, method, target });
      else expected.add(key);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  expect(wrong.slice(0, 10)).toEqual([]);
  expect(expected.size).toBeGreaterThan(COUNT / 50);
  expect(residentMb(server)).toBeLessThan(1.5 * memoryMb + 50);
  const connection = await createConnection(targets.vitess.databaseUrl);
  const [rows] = await connection.query<RowDataPacket[]>(
    "SELECT `key` FROM entries WHERE `key` LIKE 'fuzz-%' LIMIT 100000",
  );
  connection.destroy();
  const stored = new Set(rows.map(({ key }) => key.toString("latin1")).filter((key) => key.startsWith(namespace)));
  expect([...expected].filter((key) => !stored.has(key))).toEqual([]);
  // A client that was given up may have been served all the same.
  expect([...stored].filter((key) => !possible.has(key))).toEqual([]);
});

function residentMb({ pid }: RunningServer): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
