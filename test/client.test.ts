// The client over real servers: what it puts into URLs, headers and batches is what each of them takes.

import { describe, expect, test } from "bun:test";
import { createClient } from "../src/client/index.ts";
import { asKVNamespace } from "../src/client/kv-namespace.ts";
import { getOrSet, lock } from "../src/client/recipes.ts";
import { SERVERS, targets } from "./targets.ts";

const KEYS = ["a/b", "%2F", "#?&=", "\\", "caf\u00e9 🎉", "\uFFFD", "...", "a\nb", Uint8Array.of(0xff, 0, 0x2f)];

describe.each(SERVERS)("the client over %s", (server) => {
  const { url } = targets[server];
  const clientOf = (batching: boolean) =>
    createClient({ url, namespace: `client-${crypto.randomUUID()}`, batching, timeoutMs: 60_000 });

  test.each([true, false])("keys of any kind and values of any kind, with batching %p", async (batching) => {
    const kv = clientOf(batching);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const metadata = { "ü🎉": [1, null] };
    const etags = await Promise.all(KEYS.map((key, i) => kv.put(key, i % 2 ? bytes : `value ${i}`, { metadata })));
    for (const read of await Promise.all(KEYS.map((key) => kv.getWithInfo(key, { type: "bytes" })))) {
      expect(read?.metadata).toEqual(metadata);
    }
    const values = await Promise.all(KEYS.map((key) => kv.get(key, { type: "bytes" })));
    expect(values).toEqual(KEYS.map((_, i) => (i % 2 ? bytes : new TextEncoder().encode(`value ${i}`))));
    for (const [i, key] of KEYS.entries()) {
      expect(await kv.head(key)).toMatchObject({ etag: etags[i] as string, bytes: i % 2 ? 256 : 7 });
      expect(await kv.put(key, "other", { ifNoneMatch: "*" })).toBe(null);
      expect(await kv.expire(key, { ttl: 60, ifMatch: etags[i] })).not.toBe(null);
      expect((await kv.ttl(key))?.ttlMs).toBeWithin(1, 60_001);
      expect(await kv.persist(key)).toBe(true);
      expect(await kv.delete(key, { ifMatch: etags[i] })).toBe(true);
      expect(await kv.get(key)).toBe(null);
    }
  });

  test("a thousand calls at once, in order on each key", async () => {
    const kv = clientOf(true);
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const writes = Array.from({ length: 10 }, (_, round) => keys.map((key) => kv.put(key, `${round}`)));
    const reads = keys.map((key) => kv.get(key));
    await Promise.all(writes.flat());
    expect(new Set(await Promise.all(reads))).toEqual(new Set(["9"]));
  });

  test("a lock, a value that is loaded once, and Cloudflare's KVNamespace", async () => {
    const kv = clientOf(true);
    const held = await lock(kv, "lock", { ttl: 60 });
    expect(await lock(kv, "lock", { ttl: 60 })).toBe(null);
    expect(await held?.release()).toBe(true);
    let loads = 0;
    const callers = [1, 2].map(() => getOrSet(kv, "loaded", 60, () => ++loads));
    expect(await Promise.all(callers)).toEqual([1, 1]);
    const KV = asKVNamespace(kv);
    await KV.put("k", "v", { metadata: { a: 1 }, expirationTtl: 60 });
    expect(await KV.getWithMetadata("k")).toEqual({ value: "v", metadata: { a: 1 }, cacheStatus: null });
  });
});
