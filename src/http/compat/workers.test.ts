// What workerd's binding sends, which was seen on the wire, and over sockets, because a runtime repairs what comes.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import pino from "pino";
import { createApp } from "../../app.ts";
import { newToken, Tokens } from "../../auth/tokens.ts";
import { ModelStore } from "../../store/model.ts";
import { entryKey } from "../../store/store.ts";
import { ROUTES, type SentParts } from "../target.ts";
import { INTERFACE_ROUTES } from "./routes.ts";

let store = new ModelStore();
const late = new Proxy({} as ModelStore, {
  get: (_, name: keyof ModelStore) => (store[name] as () => void).bind(store),
});
beforeEach(() => {
  store = new ModelStore(() => Date.now());
});

const { token, entry } = newToken(["read", "write"], "demo");
const tokens = new Tokens([{ name: "KV_TOKENS", text: entry }]);
const options = {
  ...{ maxValueBytes: 1_024, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
  ...{ isDraining: () => false, isFull: () => false },
};
function serve(more: object = {}) {
  const app = createApp(late, {
    ...options,
    partsOf: (request) => (request as unknown as { params?: SentParts }).params,
    ...more,
  });
  const handle = (request: Request) => app.fetch(request);
  const routes = Object.fromEntries([...ROUTES, ...INTERFACE_ROUTES].map((path) => [path, handle]));
  return Bun.serve({ hostname: "127.0.0.1", port: 0, routes, fetch: handle });
}
const open = serve({ onlyLoopback: true });
const guarded = serve({ tokens: () => tokens });
afterAll(() => Promise.all([open.stop(true), guarded.stop(true)]));

interface Sent {
  headers?: string[];
  body?: string;
  server?: typeof open;
}

/** Sends a request as a binding does, its target as bytes, each a character. */
function send(
  method: string,
  target: string,
  { headers = ["KV-Namespace: demo"], body = "", server = open }: Sent = {},
) {
  const content = Buffer.from(body);
  const lines = ["Host: localhost", "Connection: close", `Content-Length: ${content.length}`, ...headers];
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return new Promise<{ status: number; head: string; body: Buffer }>((resolve, reject) => {
    const socket = connect(Number(server.port), "127.0.0.1", () => socket.write(Buffer.concat([head, content])));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      const answer = Buffer.concat(chunks);
      const end = answer.indexOf("\r\n\r\n");
      const text = answer.toString("latin1", 0, end);
      resolve({ status: Number(text.slice(9, 12)), head: text, body: answer.subarray(end + 4) });
    });
  });
}
const json = async (answer: ReturnType<typeof send>) => JSON.parse((await answer).body.toString());
const stored = (key: string) => store.entry(entryKey("demo", Buffer.from(key).toString("latin1")).toString("latin1"));

describe("a binding", () => {
  test.each([
    [
      "a%2Fb%20c%25%3F%23:%5C%C3%BC%F0%9F%98%80~!$&'()*+,;=@|^%60%7B%7D[]%3C%3E%22",
      "a/b c%?#:\\ü😀~!$&'()*+,;=@|^`{}[]<>\"",
    ],
    ["%ef%bf%bd", "\ufffd"],
    ["healthz", "healthz"],
    ["bulk%2Fget", "bulk/get"],
    ["v1%2Fkv%2Fdemo%2Fx", "v1/kv/demo/x"],
    ["client%2Fv4", "client/v4"],
  ])("names keys by %s", async (segment, key) => {
    expect((await send("PUT", `/${segment}?urlencoded=true`, { body: "v" })).status).toBe(204);
    expect(stored(key)?.value.toString()).toBe("v");
    const { status, head, body } = await send("GET", `/${segment}?urlencoded=true&cache_ttl=60`);
    expect([status, body.toString()]).toEqual([200, "v"]);
    expect(head).toContain("application/octet-stream");
    expect((await send("DELETE", `/${segment}?urlencoded=true`)).status).toBe(204);
    expect((await send("GET", `/${segment}?urlencoded=true`)).status).toBe(404);
  });

  test("keeps metadata in every script", async () => {
    const metadata = { a: ["日本", "é", "\u0000", "😀"] };
    const field = Buffer.from(JSON.stringify(metadata)).toString("latin1");
    const headers = ["KV-Namespace: demo", `CF-KV-Metadata: ${field}`, "Content-Type: text/plain;charset=UTF-8"];
    await send("PUT", "/k?urlencoded=true", { headers, body: "värld" });
    expect(stored("k")).toMatchObject({ metadata: JSON.stringify(metadata), contentType: "text/plain;charset=UTF-8" });
    const { head } = await send("GET", "/k?urlencoded=true");
    expect(JSON.parse(/^cf-kv-metadata: (.*)$/im.exec(head)?.[1] ?? "")).toEqual(metadata);
    const { keys } = await json(send("GET", "/?prefix=k"));
    expect(keys).toEqual([{ name: "k", metadata: JSON.stringify(metadata) }]);
    const larger = JSON.stringify("é".repeat(511));
    const large = [`KV-Namespace: demo`, `CF-KV-Metadata: ${Buffer.from(larger).toString("latin1")}`];
    expect((await send("PUT", "/k?urlencoded=true", { headers: large })).status).toBe(204);
    expect((await send("PUT", "/k?urlencoded=true", { headers: [`${large}x`] })).status).toBe(400);
    for (const wrong of ["{", '"\xff"']) {
      const headers = ["KV-Namespace: demo", `CF-KV-Metadata: ${wrong}`];
      expect((await send("PUT", "/k?urlencoded=true", { headers })).status).toBe(400);
    }
  });

  test("expires, by a time to live rather than an instant", async () => {
    const before = Date.now();
    await send("PUT", "/k?urlencoded=true&expiration=12&expiration_ttl=1");
    expect((stored("k")?.expiry?.atMs ?? 0) - before).toBeWithin(1_000, 2_000);
    await send("PUT", "/k?urlencoded=true&expiration=4000000000");
    expect((await json(send("GET", "/"))).keys).toEqual([{ name: "k", expiration: 4_000_000_000 }]);
    for (const wrong of ["expiration=60", "expiration_ttl=0", "expiration_ttl=-1"]) {
      expect((await send("PUT", `/k?urlencoded=true&${wrong}`)).status).toBe(400);
    }
  });

  test("lists to the end", async () => {
    for (const name of ["a", "p1", "p2", "p3"]) await send("PUT", `/${name}?urlencoded=true`);
    const { cursor, ...first } = await json(send("GET", "/?key_count_limit=2&prefix=p"));
    expect(first).toEqual({ keys: [{ name: "p1" }, { name: "p2" }], list_complete: false });
    expect(await json(send("GET", `/?key_count_limit=2&prefix=p&cursor=${cursor}`))).toEqual({
      keys: [{ name: "p3" }],
      list_complete: true,
    });
    for (const wrong of [`prefix=q&cursor=${cursor}`, "key_count_limit=1001", "limit=1"]) {
      expect((await send("GET", `/?${wrong}`)).status).toBe(400);
    }
  });

  test("reads many keys", async () => {
    const metadata = ["KV-Namespace: demo", "CF-KV-Metadata: [1]"];
    await send("PUT", "/a?urlencoded=true", { body: '{"x":1}', headers: metadata });
    const read = (body: object) => send("POST", "/bulk/get", { body: JSON.stringify(body) });
    expect(await json(read({ keys: ["a", "none"] }))).toEqual({ a: '{"x":1}', none: null });
    expect(await json(read({ keys: ["a"], type: "json", withMetadata: true, cacheTtl: "60" }))).toEqual({
      a: { value: { x: 1 }, metadata: [1] },
    });
    expect((await read({ keys: ["a"], type: "stream" })).status).toBe(400);
  });

  test("is refused what it asks wrongly, and never told that there is no such key", async () => {
    const own = ["CF-KV-FLPROD-405: https://fake-host/k?urlencoded=true"];
    expect((await send("GET", "/k?urlencoded=true", { headers: own })).status).toBe(400);
    expect((await send("GET", "/k", { headers: ["KV-Namespace: a.b"] })).status).toBe(400);
    for (const target of ["/a/b", "/a/../b", "/%ff", "/%EF%BF%BD", "/\xff", "/..", "/x?urlencoded=false", "/a\\b"]) {
      expect([target, (await send("GET", target)).status]).toEqual([target, 400]);
    }
    expect((await send("POST", "/k")).status).toBe(405);
    expect((await send("PUT", "/k", { body: "v".repeat(1_025) })).status).toBe(413);
  });

  test("needs a token for its namespace, where there are tokens", async () => {
    const asked = async (...headers: string[]) => (await send("PUT", "/healthz", { headers, server: guarded })).status;
    expect(await asked("KV-Namespace: demo")).toBe(401);
    expect(await asked("KV-Namespace: other", `Authorization: Bearer ${token}`)).toBe(403);
    expect(await asked("KV-Namespace: demo", `Authorization: Bearer ${token}`)).toBe(204);
    expect((await send("GET", "/healthz", { headers: [], server: guarded })).status).toBe(200);
  });
});

test("a path of Cloudflare's API is taken as it was sent or not at all", async () => {
  const at = (rest: string) => `/client/v4/accounts/a/storage/kv/namespaces/${rest}`;
  const taken = async (target: string) => (await send("PUT", target, { headers: [], body: "v" })).status;
  for (const name of ["a%5Cb", "a%2F..%2Fb", "%ef%bf%bd", "a%2Fb%3F%23"]) {
    expect([name, await taken(at(`demo/values/${name}`))]).toEqual([name, 200]);
  }
  for (const rest of [
    "demo/values/a/../b",
    "demo/values/\xff",
    "x/../demo/values/k",
    "demo/values/%ff",
    "demo/values/%zz",
    "demo/values/a\\b",
  ]) {
    expect([rest, await taken(at(rest))]).toEqual([rest, 400]);
  }
});
