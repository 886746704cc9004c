// Clients that hold a connection and give little for it, over real sockets: each is cut off, and nobody else notices.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { Connection } from "./robustness/connection.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

/** Of each kind. */
const CLIENTS = 5;
const DRIP_MS = 300;
/** How long they may be there, generously: Bun looks at its timers every four seconds. */
const CUT_OFF_MS = 60_000;
const VALUE_BYTES = 1024 * 1024;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({
    DATABASE_URL: targets.vitess.databaseUrl,
    KV_BODY_MS: "1500",
    KV_DEADLINE_MS: "1000",
    KV_IDLE_MS: "2000",
    KV_MAX_VALUE_BYTES: String(VALUE_BYTES),
  });
});
afterAll(() => server.stop());

/** A client that sends `start`, then `drip` again and again, until the server cuts it off. */
function slowClient(start: string, drip?: string) {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname, () => socket.write(start));
  const timer = drip === undefined ? undefined : setInterval(() => socket.write(drip), DRIP_MS);
  let answer = "";
  let ended = false;
  socket.on("data", (data) => {
    answer += data;
  });
  // A reset, where something was still on its way to the server.
  socket.on("error", () => {});
  socket.on("close", () => {
    clearInterval(timer);
    ended = true;
  });
  return { answer: () => answer, ended: () => ended, destroy: () => socket.destroy() };
}

/** Status and code of the last answer. */
function outcome(answers: string): [number, string?] | undefined {
  const last = answers.split("HTTP/1.1 ").at(-1);
  if (!last) return undefined;
  const status = Number(last.slice(0, 3));
  const code = /"code":"(\w+)"/.exec(last)?.[1];
  return code === undefined ? [status] : [status, code];
}

/** Calls on other keys, until `done`; every one of them must be answered as if nobody else were there. */
async function othersUntil(done: () => boolean) {
  const url = freshKeyUrl(server.url);
  await until(
    async () => {
      expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
      expect(await (await call(url)).text()).toBe("v");
      return done();
    },
    "all slow clients are cut off",
    CUT_OFF_MS,
  );
}

const HOST = "Host: localhost\r\n";
const head = (line: string, headers = "") => `${line} HTTP/1.1\r\n${HOST}${headers}\r\n`;
const healthz = head("GET /healthz");

interface Kind {
  start: (path: string) => string;
  drip?: string;
  /** Status and code of the last answer; none where the head never came, and Bun cuts it off without a word. */
  gets?: [number, string?];
}

const put = (headers: string, start = "") => ({ start: (path: string) => head(`PUT ${path}`, headers) + start });
const tooSlow: [number, string] = [408, "request_timeout"];
const tooLarge: [number, string] = [413, "value_too_large"];

const kinds: Record<string, Kind> = {
  nothing: { start: () => "" },
  "half of a head": { start: () => "GET /healthz HTTP/1.1\r\nHos" },
  "a request line byte by byte": { start: () => "GET /", drip: "a" },
  "a header byte by byte": { start: () => `GET /healthz HTTP/1.1\r\n${HOST}X: `, drip: "a" },
  "header after header": { start: () => `GET /healthz HTTP/1.1\r\n${HOST}`, drip: "X: a\r\n" },
  "a request, and then nothing": { start: () => healthz, gets: [200] },
  "a request, and then half of a head": { start: () => healthz + healthz.slice(0, -4), gets: [200] },
  "a request, and then a header byte by byte": { start: () => healthz + healthz.slice(0, -4), drip: "a", gets: [200] },

  "nothing of a body": { ...put("Content-Length: 100\r\n"), gets: tooSlow },
  "half of a body": { ...put("Content-Length: 100\r\n", "a"), gets: tooSlow },
  "a body byte by byte": { ...put("Content-Length: 100000\r\n"), drip: "a", gets: tooSlow },
  "a body of the largest size byte by byte": { ...put(`Content-Length: ${VALUE_BYTES}\r\n`), drip: "a", gets: tooSlow },
  "no chunk of a chunked body": { ...put("Transfer-Encoding: chunked\r\n"), gets: tooSlow },
  "half of a chunk": { ...put("Transfer-Encoding: chunked\r\n", "5\r\nab"), gets: tooSlow },
  "a chunked body byte by byte": { ...put("Transfer-Encoding: chunked\r\n"), drip: "1\r\na\r\n", gets: tooSlow },
  "the body of an expiry byte by byte": {
    start: (path) => head(`PUT ${path}/ttl`, "Content-Length: 100\r\n"),
    drip: "a",
    gets: tooSlow,
  },

  "the announcement of a little too much": { ...put(`Content-Length: ${VALUE_BYTES + 1}\r\n`), gets: tooLarge },
  "the announcement of far too much": { ...put("Content-Length: 99999999999999\r\n"), gets: tooLarge },
  "what was refused byte by byte": { ...put("Content-Length: 99999999999999\r\n"), drip: "a", gets: tooLarge },
  "what was refused, as fast as it can": {
    ...put("Content-Length: 99999999999999\r\n"),
    drip: "a".repeat(100_000),
    gets: tooLarge,
  },
};

test("every kind of them is cut off, while others are served", async () => {
  const clients = Object.entries(kinds).flatMap(([kind, { start, drip, gets }]) =>
    Array.from({ length: CLIENTS }, () => {
      const url = freshKeyUrl(server.url);
      return { kind, url, gets, ...slowClient(start(new URL(url).pathname), drip) };
    }),
  );
  await othersUntil(() => clients.every((client) => client.ended()));
  for (const { kind, answer, gets } of clients) {
    expect({ kind, gets: outcome(answer()) }).toEqual({ kind, gets });
    if (gets?.[1]) expect(answer()).toContain("application/problem+json");
  }
  for (const { url } of clients) expect((await call(url)).status).toBe(404);
});

test("what is announced to be too much is refused before any of it is sent", async () => {
  const client = slowClient(put("Content-Length: 99999999999999\r\n").start("/v1/kv/test/huge"));
  try {
    await until(() => client.answer().endsWith("}"), "it is answered");
    expect([client.ended(), outcome(client.answer())]).toEqual([false, tooLarge]);
  } finally {
    client.destroy();
  }
});

test.each([
  ["a head without an end", `GET /healthz HTTP/1.1\r\n${HOST}X: ${"a".repeat(200_000)}`],
  ["a length that is no number", head("PUT /v1/kv/test/k", `Content-Length: ${"9".repeat(30)}\r\n`)],
])("%s is refused", async (_, start) => {
  const client = slowClient(start);
  await until(client.ended, "it is cut off");
  expect(outcome(client.answer())?.[0] ?? 400).toBeWithin(400, 500);
});

test("who says nothing for almost KV_IDLE_MS is still answered, on the same connection", async () => {
  const IDLE_MS = 12_000;
  const patient = await startServer({
    ...{ DATABASE_URL: targets.vitess.databaseUrl, KV_BODY_MS: "1000", KV_DEADLINE_MS: "1000" },
    KV_IDLE_MS: String(IDLE_MS),
  });
  const connection = new Connection(Number(new URL(patient.url).port));
  const healthz = () => connection.call({ method: "GET", path: "/healthz" }, IDLE_MS);
  try {
    expect((await healthz()).status).toBe(200);
    const opened = connection.isOpen;
    await sleep(IDLE_MS - 500);
    expect([opened, connection.isOpen]).toEqual([true, true]);
    expect((await healthz()).status).toBe(200);
  } finally {
    connection.close();
    await patient.stop();
  }
});

test("a body that arrives in pieces, and in time, is taken", async () => {
  const url = freshKeyUrl(server.url);
  const client = slowClient(put("Content-Length: 4\r\n").start(new URL(url).pathname), "a");
  try {
    await until(() => outcome(client.answer())?.[0] === 204, "it is written");
    expect(await (await call(url)).text()).toBe("aaaa");
  } finally {
    client.destroy();
  }
});
