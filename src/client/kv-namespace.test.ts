// The client in the shape of Cloudflare's binding: what code written for `env.KV` relies on.

import { expect, test } from "bun:test";
import { createClient } from "./client.ts";
import { asKVNamespace } from "./kv-namespace.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";

const NOW_SECONDS = Math.floor(Date.now() / 1000);

function setUp() {
  const server = modelServer({ clock: () => NOW_SECONDS * 1000 });
  const client = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch });
  return { KV: asKVNamespace(client), client, server };
}
const stream = (...chunks: string[]) => new Blob(chunks).stream();

test("values come back as each type", async () => {
  const { KV } = setUp();
  await KV.put("k", '{"a":1}');
  expect(await KV.get("k")).toBe('{"a":1}');
  expect(await KV.get("k", {})).toBe('{"a":1}');
  expect(await KV.get("k", { cacheTtl: 60 })).toBe('{"a":1}');
  expect(await KV.get("k", "text")).toBe('{"a":1}');
  expect(await KV.get("k", { type: "text", cacheTtl: 60 })).toBe('{"a":1}');
  expect(await KV.get<{ a: number }>("k", "json")).toEqual({ a: 1 });
  expect(await KV.get<unknown>("k", { type: "json" })).toEqual({ a: 1 });
  expect(Buffer.from((await KV.get("k", "arrayBuffer")) as ArrayBuffer).toString()).toBe('{"a":1}');
  expect(await new Response(await KV.get("k", "stream")).text()).toBe('{"a":1}');
  for (const type of ["text", "json", "arrayBuffer", "stream"] as const) {
    expect(await KV.get("absent", type as "text")).toBe(null);
  }
});

test.each([
  ["text", "bytes"],
  ["an ArrayBuffer", new TextEncoder().encode("bytes").buffer],
  ["a view of one", new Uint8Array(new TextEncoder().encode("<bytes>").buffer, 1, 5)],
  ["a stream", stream("by", "tes")],
])("%s is stored", async (_, value) => {
  const { KV } = setUp();
  expect(await KV.put("k", value as string)).toBe(undefined);
  expect(await KV.get("k")).toBe("bytes");
});

test("what is none of these is a TypeError, and what is not JSON a SyntaxError that does not quote it", async () => {
  const { KV } = setUp();
  for (const value of [undefined, null, 1, {}]) await expect(KV.put("k", value as never)).rejects.toThrow(TypeError);
  for (const key of ["", ".", ".."]) await expect(KV.get(key)).rejects.toThrow(TypeError);
  await KV.put("k", "secret");
  await expect(KV.get("k", "json")).rejects.toThrow(SyntaxError);
  await expect(KV.get("k", "json")).rejects.not.toThrow("secret");
  await expect(KV.get("k", "other" as never)).rejects.toThrow(TypeError);
});

test("several keys are one request, and a Map in their order", async () => {
  const { KV, server } = setUp();
  await KV.put("b", "2", { metadata: { m: 1 } });
  server.requests.length = 0;
  expect([...(await KV.get(["absent", "b"]))]).toEqual([
    ["absent", null],
    ["b", "2"],
  ]);
  expect((await KV.get(["b"], "json")).get("b")).toBe(2);
  expect([...(await KV.getWithMetadata(["absent", "b"]))]).toEqual([
    ["absent", { value: null, metadata: null, cacheStatus: null }],
    ["b", { value: "2", metadata: { m: 1 }, cacheStatus: null }],
  ]);
  expect(server.requests.length).toBe(3);
});

test("metadata and expiry", async () => {
  const { KV, client } = setUp();
  await KV.put("k", "v", { metadata: { ü: [1] }, expirationTtl: 60 });
  expect(await KV.getWithMetadata<{ ü: number[] }>("k")).toEqual({
    ...{ value: "v", metadata: { ü: [1] }, cacheStatus: null },
  });
  expect(await client.ttl("k")).toMatchObject({ ttlMs: 60_000 });
  await KV.put("k", "v", { expiration: NOW_SECONDS + 90, metadata: null });
  expect(await client.ttl("k")).toMatchObject({ ttlMs: 90_000 });
  expect(await KV.getWithMetadata("k", "stream")).toMatchObject({ metadata: null });
  await KV.put("k", "v", { expiration: NOW_SECONDS + 90, expirationTtl: 30 });
  expect(await client.ttl("k")).toMatchObject({ ttlMs: 30_000 });
  expect(await KV.getWithMetadata("absent")).toEqual({ value: null, metadata: null, cacheStatus: null });
  expect(await KV.delete("k")).toBe(undefined);
  expect(await KV.delete("k")).toBe(undefined);
  expect(await KV.get("k")).toBe(null);
});

test("lists", async () => {
  const { KV } = setUp();
  await Promise.all([
    KV.put("a/1", "1", { expiration: NOW_SECONDS + 60 }),
    KV.put("a/2", "2", { metadata: "m" }),
    KV.put("b", "3"),
  ]);
  const everything = [{ name: "a/1", expiration: NOW_SECONDS + 60 }, { name: "a/2", metadata: "m" }, { name: "b" }];
  const complete = { keys: everything, list_complete: true as const, cacheStatus: null };
  expect(await KV.list()).toEqual(complete);
  expect(await KV.list({ prefix: null, cursor: null, limit: 0 })).toEqual(complete);
  expect((await KV.list({ prefix: "a/" })).keys.map(({ name }) => name)).toEqual(["a/1", "a/2"]);
  // As in Cloudflare's documentation.
  const names: string[] = [];
  let cursor: string | undefined;
  let isComplete = false;
  while (!isComplete) {
    const page: Awaited<ReturnType<typeof KV.list>> = await KV.list({ limit: 1, cursor });
    names.push(...page.keys.map(({ name }) => name));
    isComplete = page.list_complete;
    cursor = page.list_complete ? undefined : page.cursor;
  }
  expect(names).toEqual(["a/1", "a/2", "b"]);
});
