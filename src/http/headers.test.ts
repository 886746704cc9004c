// Every header of each kind of answer, as a client sees it over a socket. The store is a fake.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../app.ts";
import { newToken, Tokens } from "../auth/tokens.ts";
import { StoreError, type StoreErrorCode } from "../store/error.ts";
import { ModelStore } from "../store/model.ts";

const reader = newToken(["read"], "a");
let store = new ModelStore();
let isFull = false;
const options = {
  maxValueBytes: 64,
  bodyTimeoutMs: 100,
  log: pino({ level: "silent" }),
  isDraining: () => true,
  isFull: () => isFull,
  metrics: async () => "kv 1\n",
};

function serve(more: object) {
  const late: Pick<ModelStore, "get"> = new Proxy({} as ModelStore, {
    get: (_, name: keyof ModelStore) => (store[name] as () => void).bind(store),
  });
  const app = createApp(late as ModelStore, { ...options, ...more });
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: 1e12,
    fetch: (request) => app.fetch(request),
  });
}
const open = serve({});
const guarded = serve({ tokens: () => new Tokens([{ name: "test", text: reader.entry }]) });
afterAll(() => Promise.all([open.stop(true), guarded.stop(true)]));

beforeEach(() => {
  store = new ModelStore();
  isFull = false;
});

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const tag = expect.stringMatching(/^"[0-9a-f]+"$/);

const every = {
  Date: expect.any(String),
  "X-Request-Id": expect.stringMatching(UUID),
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; sandbox",
};
const noStore = { ...every, "Cache-Control": "no-store" };
const json = (length: number) => ({ ...noStore, "Content-Type": "application/json", "Content-Length": String(length) });
const problem = {
  ...noStore,
  "Content-Type": "application/problem+json",
  "Content-Length": expect.stringMatching(/^[1-9]\d\d$/),
};
/** Bun does not date an answer to HEAD. */
const toHead = ({ Date: _, ...headers }: Record<string, unknown>) => headers;
const problemToHead = toHead(problem);
const kept = { ...every, ETag: tag, "Cache-Control": "no-cache, no-transform" };
const full = { ...kept, "Content-Type": "text/plain", "Content-Length": "5" };
const extra = { "KV-Metadata": '{"a":1}', "KV-Expires-At": "2023-11-14T22:14:20.000Z" };
const basic = 'Bearer realm="vitess-kv"';

const PLAIN = { "Content-Type": "text/plain" };
const KEY = "/v1/kv/a/k";

interface Case {
  send: string;
  headers?: Record<string, string>;
  body?: RequestInit["body"];
  /** Done before, on the same key. */
  first?: { query?: string; headers?: Record<string, string> };
  server?: typeof open;
  fails?: StoreErrorCode;
  gives: number;
  has: Record<string, unknown>;
}

const first = { headers: PLAIN };
const cases: Record<string, Case> = {
  "a value": { first, send: `GET ${KEY}`, gives: 200, has: full },
  "a value with all there can be": {
    first: { query: "?ttl=60", headers: { ...PLAIN, "KV-Metadata": '{"a":1}' } },
    send: `GET ${KEY}?consistency=strong`,
    gives: 200,
    has: { ...full, ...extra },
  },
  "a value without its bytes": {
    first: { query: "?ttl=60", headers: { ...PLAIN, "KV-Metadata": '{"a":1}' } },
    send: `HEAD ${KEY}`,
    gives: 200,
    has: toHead({ ...full, ...extra }),
  },
  "a request id that was given": {
    first,
    send: `GET ${KEY}`,
    headers: { "X-Request-Id": "a_B-9=" },
    gives: 200,
    has: { ...full, "X-Request-Id": "a_B-9=" },
  },
  "the longest request id": {
    first,
    send: `GET ${KEY}`,
    headers: { "X-Request-Id": "i".repeat(255) },
    gives: 200,
    has: { ...full, "X-Request-Id": "i".repeat(255) },
  },
  "a request id that is too long": {
    send: `GET ${KEY}`,
    headers: { "X-Request-Id": "i".repeat(256) },
    gives: 404,
    has: problem,
  },
  "a request id with what may not be in one": {
    send: `GET ${KEY}`,
    headers: { "X-Request-Id": 'a"b' },
    gives: 404,
    has: problem,
  },
  "a request id of a problem": {
    send: `GET ${KEY}`,
    headers: { "X-Request-Id": "mine" },
    gives: 404,
    has: { ...problem, "X-Request-Id": "mine" },
  },
  "not modified": {
    first: { query: "?ttl=60", headers: { ...PLAIN, "KV-Metadata": '{"a":1}' } },
    send: `GET ${KEY}`,
    headers: { "If-None-Match": "*" },
    gives: 304,
    has: { ...kept, ...extra },
  },
  "not modified, to HEAD": { first, send: `HEAD ${KEY}`, headers: { "If-None-Match": "*" }, gives: 304, has: kept },
  absent: { send: `GET ${KEY}`, gives: 404, has: problem },
  "absent, to HEAD": { send: `HEAD ${KEY}`, gives: 404, has: problemToHead },
  "a read's precondition": { first, send: `GET ${KEY}`, headers: { "If-Match": '"x"' }, gives: 412, has: problem },
  "a put": { send: `PUT ${KEY}`, body: "v", gives: 204, has: { ...every, ETag: tag } },
  "a put's precondition": { send: `PUT ${KEY}`, body: "v", headers: { "If-Match": "*" }, gives: 412, has: problem },
  "a delete": { send: `DELETE ${KEY}`, gives: 204, has: every },
  "a delete's precondition": { send: `DELETE ${KEY}`, headers: { "If-Match": "*" }, gives: 412, has: problem },
  "no ttl": { first, send: `GET ${KEY}/ttl`, gives: 200, has: json('{"ttl_ms":null,"expires_at":null}'.length) },
  "a ttl": { first: { query: "?ttl=60" }, send: `GET ${KEY}/ttl`, gives: 200, has: json(56) },
  "the ttl of nothing": { send: `GET ${KEY}/ttl`, gives: 404, has: problem },
  "a new ttl": { first, send: `PUT ${KEY}/ttl`, body: '{"ttl":60}', gives: 200, has: json(56) },
  "a ttl's condition": { first, send: `PUT ${KEY}/ttl?if=xx`, body: '{"ttl":60}', gives: 412, has: problem },
  "a ttl that is taken away": { first, send: `DELETE ${KEY}/ttl`, gives: 204, has: every },
  "a ttl taken from nothing": { send: `DELETE ${KEY}/ttl`, gives: 404, has: problem },
  "a bad parameter": { send: `GET ${KEY}?x=1`, gives: 400, has: problem },
  "a bad ttl": { send: `PUT ${KEY}?ttl=0`, body: "v", gives: 400, has: problem },
  "a bad key": { send: "GET /v1/kv/a/%zz", gives: 400, has: problem },
  "a bad key, to HEAD": { send: "HEAD /v1/kv/a/%zz", gives: 400, has: problemToHead },
  "an empty key": { send: "GET /v1/kv/a/", gives: 400, has: problem },
  "a bad namespace": { send: "GET /v1/kv/a.b/k", gives: 400, has: problem },
  "a body without end": {
    send: `PUT ${KEY}`,
    body: new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(1)) }),
    gives: 408,
    has: { ...problem, Connection: "close" },
  },
  "too large a value": { send: `PUT ${KEY}`, body: "v".repeat(65), gives: 413, has: problem },
  "an encoded value": {
    send: `PUT ${KEY}`,
    headers: { "Content-Encoding": "gzip" },
    body: "v",
    gives: 415,
    has: problem,
  },
  "another method": {
    send: `POST ${KEY}`,
    body: "v",
    gives: 405,
    has: { ...problem, Allow: "PUT, GET, HEAD, DELETE" },
  },
  "another method on a ttl": {
    send: `PATCH ${KEY}/ttl`,
    gives: 405,
    has: { ...problem, Allow: "GET, HEAD, PUT, DELETE" },
  },
  "no such path": { send: "GET /nowhere", gives: 404, has: problem },
  "no such path, to HEAD": { send: "HEAD /nowhere", gives: 404, has: problemToHead },
  alive: { send: "GET /healthz", gives: 200, has: json('{"status":"ok"}'.length) },
  "alive, to HEAD": { send: "HEAD /healthz", gives: 200, has: toHead(json(15)) },
  draining: { send: "GET /readyz", gives: 503, has: problem },
  metrics: {
    send: "GET /metrics",
    gives: 200,
    has: { ...noStore, "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Length": "5" },
  },
  "no token": { server: guarded, send: `GET ${KEY}`, gives: 401, has: { ...problem, "WWW-Authenticate": basic } },
  "no token, to HEAD": {
    server: guarded,
    send: `HEAD ${KEY}`,
    gives: 401,
    has: { ...problemToHead, "WWW-Authenticate": basic },
  },
  "no such token": {
    server: guarded,
    send: `GET ${KEY}`,
    headers: { Authorization: "Bearer x" },
    gives: 401,
    has: { ...problem, "WWW-Authenticate": `${basic}, error="invalid_token"` },
  },
  "another right": {
    server: guarded,
    send: `PUT ${KEY}`,
    headers: { Authorization: `Bearer ${reader.token}` },
    body: "v",
    gives: 403,
    has: { ...problem, "WWW-Authenticate": `${basic}, error="insufficient_scope"` },
  },
  "a token that is right": {
    server: guarded,
    send: `GET ${KEY}`,
    headers: { Authorization: `bearer ${reader.token}` },
    gives: 404,
    has: problem,
  },
  "alive, without a token": { server: guarded, send: "GET /healthz", gives: 200, has: json('{"status":"ok"}'.length) },
  unavailable: {
    send: `GET ${KEY}`,
    fails: "unavailable",
    gives: 503,
    has: { ...problem, "Retry-After": "1" },
  },
  overloaded: {
    send: `PUT ${KEY}`,
    body: "v",
    fails: "overloaded",
    gives: 503,
    has: { ...problem, "Retry-After": "1" },
  },
  unknown: { send: `DELETE ${KEY}`, fails: "outcome_unknown", gives: 503, has: problem },
  refused: { send: `DELETE ${KEY}`, fails: "internal", gives: 500, has: problem },
};

async function ask(url: string, { send, headers, body }: Case) {
  const [method, path] = send.split(" ");
  const answer = await fetch(new URL(path as string, url), { method, headers, body });
  return { method, answer, text: await answer.text() };
}

const named = (headers: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

describe("the headers of", () => {
  test.each(Object.entries(cases))("%s", async (_, given) => {
    const { first, server = open, fails, gives, has } = given;
    if (first) await fetch(new URL(KEY + (first.query ?? ""), open.url), { method: "PUT", body: "value", ...first });
    if (fails) {
      store.gate = Promise.reject(new StoreError(fails, "as the test wants it"));
      store.gate.catch(() => {});
    }
    const { method, answer, text } = await ask(server.url.href, given);
    expect([answer.status, answer.headers.toJSON()]).toEqual([gives, named(has)] as never);
    if (method === "HEAD") expect(text).toBe("");
    else if (gives >= 400) {
      expect(JSON.parse(text)).toEqual({
        type: "about:blank",
        title: expect.any(String),
        status: gives,
        code: expect.any(String),
        detail: expect.any(String),
        request_id: answer.headers.get("X-Request-Id"),
      });
    }
  });

  test("what is turned away", async () => {
    isFull = true;
    for (const [send, has] of [
      [`GET ${KEY}`, problem],
      [`HEAD ${KEY}`, problemToHead],
    ] as const) {
      const { answer } = await ask(open.url.href, { send, gives: 503, has: {} });
      const { "Content-Security-Policy": _, ...headers }: Record<string, unknown> = { ...has, "Retry-After": "1" };
      expect([answer.status, answer.headers.toJSON()]).toEqual([503, named(headers)] as never);
    }
    expect((await ask(open.url.href, { send: "GET /healthz", gives: 200, has: {} })).answer.status).toBe(200);
  });
});
