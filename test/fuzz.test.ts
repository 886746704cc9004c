// Requests made of pieces that go wrong somewhere: targets, hosts, headers and bodies as bytes, over sockets. Whatever comes,
// there is no 5xx of ours, nothing hangs, nothing grows, and each write that was acknowledged is under the key whose bytes
// were sent, and no other.

import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { DENO_SERVER, type RunningServer, startServer, WORKER } from "../vitess/run/server-process.ts";
import { startWorkerd } from "../vitess/run/workerd.ts";
import { residentMb } from "./memory.ts";
import { Random } from "./robustness/random.ts";
import { targets } from "./targets.ts";

const AT_ONCE = 32;
/** There each write of a key waits for the one before, and a machine that is slow enough would let the last wait too long. */
const AT_ONCE_WITHOUT_LANES = 8;
/** Of a connection, for an answer; one that is not whole is given up sooner. */
const HANGS_MS = 15_000;
const GIVEN_UP_MS = 200;
/** What is there beside the values of a server that has answered many requests. */
const SLACK_MB = 50;

interface Runtime {
  name: string;
  requests: number;
  start: () => Promise<RunningServer>;
  /** Requests under way. */
  atOnce: number;
  /** The 5xx that it answers by itself, before the app sees a request (see src/http/README.md). */
  answers: number[];
  /** What it makes of a target before the app sees it. */
  repair: (target: string) => string;
}

const environment = { DATABASE_URL: targets.vitess.databaseUrl, KV_SWEEP: "false" };
const RUNTIMES: Runtime[] = [
  {
    name: "Bun",
    requests: 20_000,
    atOnce: AT_ONCE,
    start: () => startServer(environment),
    answers: [501, 505],
    repair: (target) => target,
  },
  {
    name: "Deno",
    requests: 10_000,
    atOnce: AT_ONCE,
    start: () => startServer(environment, DENO_SERVER),
    answers: [],
    repair: (target) => target,
  },
  {
    name: "workerd",
    requests: 5_000,
    atOnce: AT_ONCE_WITHOUT_LANES,
    start: () => startWorkerd(environment.DATABASE_URL),
    answers: [500, 501],
    repair: withoutDots,
  },
  {
    name: "wrangler dev",
    requests: 1_500,
    atOnce: AT_ONCE_WITHOUT_LANES,
    start: () => startServer(environment, WORKER),
    answers: [500, 501],
    // workerd stands before what parses the URL.
    repair: (target) => parsed(target.startsWith("/") ? withoutDots(target) : target),
  },
];

/** In CI the same requests each time: what others find would be no fault of the change that is tried. */
const seed = Number(process.env.FUZZ_SEED ?? (process.env.CI ? 774685129 : Date.now() % 1e9));
const random = new Random(seed);
const one = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
const rarely = <T>(common: T, rare: readonly T[]): T => (random.next() < 0.15 ? one(rare) : common);

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
  const key = Array.from({ length: 1 + random.below(4) }, () =>
    random.next() < 0.6 ? one(["k", "x", "7", "%6B"]) : one(ATOMS),
  ).join("");
  const target = `${rarely("/v1/kv/", PREFIXES)}${rarely(namespace, [`%66${namespace.slice(1)}`, `${namespace}.`])}/${key}${rarely("", QUERIES)}`;
  const method = rarely("PUT", METHODS);
  const version = rarely("HTTP/1.1", ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/1.9", "HTP/1.1"]);
  const host = version === "HTTP/1.0" && random.next() < 0.5 ? "" : `Host: ${rarely("localhost", HOSTS)}\r\n`;
  const more = random.next() < 0.25 ? `${one(HEADERS)}\r\n` : "";
  const value = "v".repeat(random.below(20));
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
  const [length, body, isWhole] = random.next() < 0.8 ? (bodies[0] as (typeof bodies)[0]) : one(bodies);
  const text = `${method} ${target} ${version}\r\n${host}Connection: close\r\n${more}${length}\r\n${body}`;
  return { bytes: Buffer.from(text, "latin1"), method, target, isWhole };
}

/** As URL parsers do it. */
function parsed(target: string): string {
  return new URL(Buffer.from(target, "latin1").toString("utf8"), "http://h").pathname;
}

/** As workerd does it: what stands between slashes and is a dot goes, and with two of them also what stands before. */
function withoutDots(target: string): string {
  const [path = "", ...rest] = target.split(/(?=\?)/);
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [i, segment] of segments.entries()) {
    if (segment === "..") kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
    else if (i === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}${rest.join("")}`;
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

interface Answer {
  /** 0 where the connection was closed without an answer. */
  status: number;
  isOurs: boolean;
  /** Of a problem. */
  code?: string;
}

/** Undefined where the request hangs. Not by the connection's end: workerd leaves it open for five seconds more. */
function send(port: number, { bytes, method, isWhole }: Request): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(
      () => {
        if (isWhole) resolve(undefined);
        socket.destroy();
      },
      isWhole ? HANGS_MS : GIVEN_UP_MS,
    );
    socket.on("data", (data) => {
      received += data.toString("latin1");
      if (firstAnswer(received, method)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(firstAnswer(received, method) ?? { status: 0, isOurs: false });
    });
  });
}

/** The first answer that is whole, after those that only say that the request may go on. */
function firstAnswer(received: string, method: string): Answer | undefined {
  const [, head = "", body = ""] = /^(?:HTTP\/1\.1 1.*?\r\n\r\n)*(HTTP\/1\.1 .*?\r\n\r\n)(.*)$/s.exec(received) ?? [];
  const status = Number(head.slice(9, 12));
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const isWhole = head !== "" && (method === "HEAD" || status === 204 || status === 304 || body.length >= length);
  if (!isWhole) return undefined;
  return { status, isOurs: /^x-request-id:/im.test(head), code: /"code":"(\w+)"/.exec(body)?.[1] };
}

describe.each(RUNTIMES)("$name", ({ requests, atOnce, start, answers, repair }) => {
  let server: RunningServer;
  afterAll(() => server?.stop());

  test(`${requests} requests, seed ${seed}`, async () => {
    server = await start();
    const port = Number(new URL(server.url).port);
    const namespace = `fuzz-${seed}-${port}`;
    const expected = new Set<string>();
    const possible = new Set<string>();
    const wrong: unknown[] = [];
    let memoryMb = 0;
    let left = requests;
    const sender = async () => {
      while (left > 0) {
        left -= 1;
        // What the first requests leave behind is no growth.
        if (left === Math.floor(requests / 2)) memoryMb = residentMb(server.pid);
        const request = makeRequest(namespace);
        const { method, target } = request;
        const answer = await send(port, request);
        if (answer === undefined) wrong.push({ hangs: request.bytes.toString("latin1") });
        else if (answer.status >= 500 && (answer.isOurs || !answers.includes(answer.status))) {
          wrong.push({ ...answer, method, target });
        }
        const key = keyOf(repair(target));
        if (key !== undefined && method === "PUT") possible.add(key);
        if (answer?.status !== 204 || method !== "PUT") continue;
        if (key === undefined) wrong.push({ ...answer, method, target });
        else expected.add(key);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, sender));
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(expected.size).toBeGreaterThan(requests / 50);
    expect(residentMb(server.pid)).toBeLessThan(1.5 * memoryMb + SLACK_MB);
    const connection = await createConnection(targets.vitess.databaseUrl);
    const [rows] = await connection.query<RowDataPacket[]>(
      "SELECT `key` FROM entries WHERE `key` LIKE ? LIMIT 100000",
      [`${namespace}%`],
    );
    connection.destroy();
    const stored = new Set(rows.map(({ key }) => key.toString("latin1")));
    expect([...expected].filter((key) => !stored.has(key))).toEqual([]);
    // A client that was given up may have been served all the same.
    expect([...stored].filter((key) => !possible.has(key))).toEqual([]);
  });
});
