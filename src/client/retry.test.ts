// What is sent again, and what never is: a write only where nothing was changed.

import { expect, test } from "bun:test";
import { createClient } from "./client.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";
import type { Client, ClientOptions } from "./types.ts";

function setUp(options: Partial<ClientOptions> = {}) {
  const server = modelServer();
  const kv = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch, ...options });
  return { server, kv };
}

const problem = (status: number, code?: string, headers?: Record<string, string>) => () =>
  Response.json({ status, code, detail: "A fake." }, { status, headers });
const page = (status: number) => () => new Response("<html>", { status });
const fails = (code: string, cause?: object) => () => {
  throw Object.assign(new TypeError("fetch failed"), cause ? { cause: { code } } : { code });
};

/** A first answer; whether a write may have been done, and whether a read and a write are sent again. */
test.each<[string, () => Response, boolean, boolean, boolean]>([
  ["503 unavailable", problem(503, "unavailable"), false, true, true],
  ["503 overloaded", problem(503, "overloaded"), false, true, true],
  ["503 outcome_unknown", problem(503, "outcome_unknown"), true, true, false],
  ["503 without a code", page(503), true, true, false],
  ["502 of a proxy", page(502), true, true, false],
  ["500 internal", problem(500, "internal"), true, false, false],
  ["400", problem(400, "invalid_parameter"), false, false, false],
  ["408", problem(408, "request_timeout"), false, false, false],
  ["429 of a proxy", page(429), false, false, false],
  ["a connection that broke", fails("ECONNRESET"), true, true, false],
  ["no connection, on Bun", fails("ECONNREFUSED"), false, true, true],
  ["no connection, on Node", fails("ECONNREFUSED", {}), false, true, true],
  [
    "no connection, on Deno",
    () => {
      const message = "error sending request for url (http://h/): client error (Connect): tcp connect error";
      throw Object.assign(new TypeError("fetch failed"), { cause: { message } });
    },
    ...([false, true, true] as const),
  ],
  ["no such host", fails("ENOTFOUND"), false, true, true],
])("%s", async (_, answer, isUnknown, isReadRepeated, isWriteRepeated) => {
  const kinds: [(kv: Client) => Promise<unknown>, boolean, boolean][] = [
    [(kv) => kv.get("k"), false, isReadRepeated],
    [(kv) => kv.head("k"), false, isReadRepeated],
    [(kv) => kv.ttl("k"), false, isReadRepeated],
    [(kv) => kv.pages().next(), false, isReadRepeated],
    [(kv) => kv.deletePrefix("k", { dryRun: true }).next(), false, isReadRepeated],
    [(kv) => kv.put("k", "v"), isUnknown, isWriteRepeated],
    [(kv) => kv.delete("k"), isUnknown, isWriteRepeated],
    [(kv) => kv.expire("k", { ttl: 1 }), isUnknown, isWriteRepeated],
    [(kv) => kv.persist("k"), isUnknown, isWriteRepeated],
    [(kv) => kv.increment("k"), isUnknown, isWriteRepeated],
    [(kv) => kv.deletePrefix("k").next(), isUnknown, isWriteRepeated],
  ];
  const attempts = kinds.map(async ([call, outcomeUnknown, isRepeated]) => {
    const { server, kv } = setUp();
    server.intercept = () => (server.requests.length === 1 ? answer() : undefined);
    const outcome = await call(kv).then(
      () => "done",
      (error) => error,
    );
    expect(server.requests.length).toBe(isRepeated ? 2 : 1);
    if (isRepeated) expect(outcome).toBe("done");
    else expect(outcome).toMatchObject({ name: "KVError", outcomeUnknown });
  });
  await Promise.all(attempts);
});

test("of a batch, what failed without a change goes again, and nothing else", async () => {
  const { server, kv } = setUp();
  server.intercept = () => {
    if (server.requests.length > 1) return undefined;
    const results = [
      { status: 503, code: "unavailable" },
      { status: 503, code: "outcome_unknown" },
      { status: 204, etag: '"1"' },
      { status: 503, code: "overloaded" },
    ];
    return Response.json({ results });
  };
  const [a, b, c, d] = await Promise.allSettled([kv.put("a", "1"), kv.put("b", "1"), kv.put("c", "1"), kv.get("d")]);
  expect([a, c, d].map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  expect(b).toMatchObject({ reason: { code: "outcome_unknown", outcomeUnknown: true } });
  expect(server.requests.length).toBe(2);
  expect(await kv.get("a")).toBe("1");
  expect(await kv.get("b")).toBe(null);
});

test("a write does not go again after a later one on its key was done", async () => {
  const { server, kv } = setUp();
  server.intercept = () => {
    const results = [
      { status: 503, code: "overloaded" },
      { status: 503, code: "unavailable" },
      { status: 204, etag: '"2"' },
    ];
    return server.requests.length > 1 ? undefined : Response.json({ results });
  };
  const [first, other, second] = await Promise.allSettled([kv.put("a", "1"), kv.put("b", "1"), kv.put("a", "2")]);
  expect(first).toMatchObject({ reason: { code: "overloaded", outcomeUnknown: false } });
  expect([other.status, second.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(server.requests).toEqual(["POST /v1/kv/test", "PUT /v1/kv/test/b"]);
});

test("a batch whose answer is lost leaves its writes unknown, and repeats its reads", async () => {
  const { server, kv } = setUp();
  server.intercept = () => {
    if (server.requests.length === 1) throw new TypeError("lost");
    return undefined;
  };
  const [write, read] = await Promise.allSettled([kv.put("a", "1"), kv.get("b")]);
  expect(write).toMatchObject({ reason: { code: "network", outcomeUnknown: true } });
  expect(read).toMatchObject({ value: null });
});

test.each([
  ["results for others", Response.json({ results: [{ status: 204, etag: '"1"' }] })],
  ["a page", new Response("<html>")],
  ["nothing", new Response()],
])("a batch that is answered with %s is not done", async (_, answer) => {
  const { server, kv } = setUp();
  server.intercept = () => answer.clone() as Response;
  const [, last] = await Promise.allSettled([kv.put("a", "1"), kv.put("b", "1")]);
  expect(last).toMatchObject({ reason: { code: "bad_answer", outcomeUnknown: true } });
});

test("a page of whatever stands in between is no value", async () => {
  const { server, kv } = setUp();
  server.intercept = page(200);
  await expect(kv.get("a")).rejects.toMatchObject({ code: "bad_answer", outcomeUnknown: false });
  await expect(kv.put("a", "")).rejects.toMatchObject({ code: "bad_answer", outcomeUnknown: true });
  server.intercept = page(404);
  await expect(kv.get("a")).rejects.toMatchObject({ code: "http_404" });
});

test("Retry-After is honoured", async () => {
  const { server, kv } = setUp();
  const times: number[] = [];
  server.intercept = () => {
    times.push(performance.now());
    return times.length === 1 ? problem(503, "overloaded", { "Retry-After": "1" })() : undefined;
  };
  await kv.put("a", "1");
  const [first, second] = times as [number, number];
  expect(second - first).toBeGreaterThan(990);
});

test("retries are bounded, in number and by the time that is left", async () => {
  const { server, kv } = setUp({ retries: 2 });
  server.intercept = problem(503, "overloaded");
  await expect(kv.get("a")).rejects.toMatchObject({ code: "overloaded", status: 503 });
  expect(server.requests.length).toBe(3);
  server.requests.length = 0;
  server.intercept = problem(503, "overloaded", { "Retry-After": "60" });
  await expect(kv.get("a")).rejects.toMatchObject({ code: "overloaded" });
  expect(server.requests.length).toBe(1);
});

test("a call that takes too long ends, and a write may have been done", async () => {
  const { server, kv } = setUp({ timeoutMs: 20 });
  server.intercept = () => new Promise(() => {});
  const [read, write] = await Promise.allSettled([kv.get("a"), kv.put("b", "1")]);
  expect(read).toMatchObject({ reason: { code: "timeout", outcomeUnknown: false } });
  expect(write).toMatchObject({ reason: { code: "timeout", outcomeUnknown: true } });
  await expect(kv.put("b", "1")).rejects.toMatchObject({ code: "timeout" });
});
