// What the store learns of a call's client, over real sockets, and what a request is refused for before the store is asked.
// The store is a fake.

import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { createApp } from "../app.ts";
import { ModelStore } from "../store/model.ts";

const store = new ModelStore();
const app = createApp(store, {
  maxValueBytes: 64,
  bodyTimeoutMs: 1_000,
  log: pino({ level: "silent" }),
  isDraining: () => false,
  isFull: () => false,
});
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
afterAll(() => server.stop(true));

test.each([
  ["get", "GET", "", ""],
  ["head", "HEAD", "", ""],
  ["put", "PUT", "", "value"],
  ["delete", "DELETE", "", ""],
  ["head", "GET", "/ttl", ""],
  ["expire", "PUT", "/ttl", '{"ttl":60}'],
  ["persist", "DELETE", "/ttl", ""],
] as const)("the store can see that the client of a %s (%s …%s) has gone", async (method, verb, suffix, body) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = promise;
  store.calls.length = 0;
  const call = () => {
    const socket = connect(server.port as number, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`${verb} /v1/kv/a/k${suffix} HTTP/1.1\r\nHost: kv\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return socket;
  };
  const gone = call();
  while (store.calls.length < 1) await sleep(1);
  const waits = call();
  while (store.calls.length < 2) await sleep(1);
  gone.destroy();
  // Only then looked at, as the store does: nobody listens to a signal.
  await sleep(50);
  expect(store.calls.map((seen) => [seen.method, seen.caller?.aborted])).toEqual([
    [method, true],
    [method, false],
  ]);
  resolve();
  waits.destroy();
});

test.each(["GET", "HEAD"])(
  "%s with a malformed precondition is refused, whether there is an entry or not",
  async (method) => {
    store.gate = undefined;
    const url = new URL("/v1/kv/a/precondition", server.url);
    for (const write of ["DELETE", "PUT"]) {
      expect((await fetch(url, { method: write })).status).toBe(204);
      store.calls.length = 0;
      for (const name of ["If-Match", "If-None-Match"]) {
        expect((await fetch(url, { method, headers: { [name]: "garbage" } })).status).toBe(400);
        expect((await fetch(url, { method, headers: { [name]: '"open' } })).status).toBe(400);
      }
      expect(store.calls).toEqual([]);
    }
  },
);

test("a stranger's version matches nothing", async () => {
  const url = new URL("/v1/kv/a/versions", server.url);
  const { headers } = await fetch(url, { method: "PUT" });
  const tag = headers.get("ETag") as string;
  const answers = ["x", "0", tag.slice(1, -2), tag.slice(1, -1).toUpperCase(), `${tag.slice(1, -1)}0`].map((text) =>
    fetch(url, { headers: { "If-Match": `"${text}"` } }),
  );
  const upper = tag.toUpperCase() === tag ? 200 : 412;
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([412, 412, 412, upper, 412]);
  expect((await fetch(url, { headers: { "If-Match": `"x", ${tag}` } })).status).toBe(200);
});
