// What the client must do over a real server, alike in every JavaScript runtime: nothing here belongs to one of them.

import { deepStrictEqual as equal, ok } from "node:assert";
import type { Client, ClientOptions, ListOptions } from "../../src/client/index.ts";
import { asKVNamespace } from "../../src/client/kv-namespace.ts";
import { getOrSet, lock } from "../../src/client/recipes.ts";

/** What a runtime is told of the servers. */
export interface Surroundings {
  url: string;
  /** For every namespace, and the same for reading alone; undefined where the server lets everyone in. */
  tokens?: { all: string; reader: string };
  /** Takes connections and never answers. */
  silentUrl: string;
  /** Nobody listens there. */
  closedUrl: string;
}

/** For one case. */
export interface Given extends Surroundings {
  /** Of a namespace of its own. */
  kv: Client;
  /** Another client of the same namespace. */
  connect: (options?: Partial<ClientOptions>) => Client;
}

export interface Case {
  name: string;
  /** Takes long over the Worker, where each key costs a statement of its own. */
  isLong?: true;
  run: (given: Given) => Promise<void>;
}

const KEYS = ["a/b", "%2F", "#?&=", "\\", "caf\u00e9 🎉", "\uFFFD", "...", "a\nb", Uint8Array.of(0xff, 0, 0x2f)];
const TEXTS = ["", "plain", "ünï 🎉", "\uFEFFmark", "\uFFFD", "a\0b"];
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
/** Goes alone. */
const LARGE = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);

export const range = (count: number) => Array.from({ length: count }, (_, i) => `k${String(i).padStart(4, "0")}`);
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function keysOf(kv: Client, options?: ListOptions) {
  const keys = [];
  for await (const { key } of kv.list(options)) keys.push(key);
  return keys;
}

export const CASES: Case[] = [
  {
    name: "text and documents",
    async run({ kv }) {
      for (const text of TEXTS) {
        await kv.put("k", text);
        equal(await kv.get("k"), text);
      }
      equal((await kv.head("k"))?.contentType, "text/plain; charset=utf-8");
      await kv.putJson("k", { ä: [1, null, "x"] });
      equal(await kv.get("k", { type: "json" }), { ä: [1, null, "x"] });
      equal((await kv.head("k"))?.contentType, "application/json");
    },
  },
  {
    name: "bytes, alone and together",
    async run({ kv }) {
      for (const value of [BYTES, BYTES.buffer, new DataView(BYTES.buffer)]) {
        await kv.put("k", value);
        equal(await kv.get("k", { type: "bytes" }), BYTES);
      }
      await Promise.all([kv.put("small", BYTES), kv.put("empty", new Uint8Array()), kv.put("large", LARGE)]);
      const read = await Promise.all(["small", "empty", "large"].map((key) => kv.get(key, { type: "bytes" })));
      equal(read, [BYTES, new Uint8Array(), LARGE]);
    },
  },
  {
    name: "keys of any bytes, metadata and what is known of a value, alone and together",
    async run({ connect }) {
      const metadata = { "ü🎉": [1, null] };
      for (const batching of [true, false]) {
        const kv = connect({ batching });
        const etags = await Promise.all(KEYS.map((key, i) => kv.put(key, `value ${i}`, { metadata })));
        const infos = await Promise.all(KEYS.map((key) => kv.head(key)));
        const common = { contentType: "text/plain; charset=utf-8", metadata, bytes: 7, expiresAt: null };
        equal(
          infos,
          etags.map((etag) => ({ etag, ...common })),
        );
        const entries = await Promise.all(KEYS.map((key) => kv.getWithInfo(key)));
        equal(
          entries,
          etags.map((etag, i) => ({ etag, ...common, value: `value ${i}` })),
        );
      }
    },
  },
  {
    name: "what is absent",
    async run({ kv }) {
      equal(await Promise.all([kv.get("k"), kv.getWithInfo("k"), kv.ttl("k"), kv.expire("k", { ttl: 1 })]), [
        ...[null, null, null, null],
      ]);
      equal([await kv.head("k"), await kv.persist("k"), await kv.delete("k")], [null, false, true]);
      equal(await kv.delete("k", { ifMatch: "*" }), false);
    },
  },
  {
    name: "expiry",
    async run({ kv }) {
      const expiresAt = new Date(Date.now() + 3_600_123);
      await kv.put("k", "v", { expiresAt });
      equal((await kv.head("k"))?.expiresAt, expiresAt);
      equal((await kv.ttl("k"))?.expiresAt, expiresAt);
      await kv.put("k", "v", { keepTtl: true });
      equal((await kv.ttl("k"))?.expiresAt, expiresAt);
      equal(await kv.expire("k", { ttl: 60, if: "gt" }), null);
      equal((await kv.expire("k", { ttl: 7_200, if: "gt" }))?.ttlMs, 7_200_000);
      equal(await kv.persist("k"), true);
      equal(await kv.ttl("k"), { ttlMs: null, expiresAt: null });
      await kv.expire("k", { ttlMs: 200 });
      while ((await kv.get("k")) !== null) await pause(20);
      await kv.put("k", "v");
      await kv.expire("k", { expiresAt: new Date(1) });
      equal(await kv.get("k"), null);
    },
  },
  {
    name: "conditions",
    async run({ kv }) {
      const etag = await kv.put("k", "1", { ifNoneMatch: "*" });
      equal(await kv.put("k", "2", { ifNoneMatch: "*" }), null);
      equal(await kv.put("k", "2", { ifMatch: '"other"' }), null);
      const swapped = await kv.put("k", "2", { ifMatch: etag as string });
      ok(swapped);
      equal(await kv.expire("k", { ttl: 60, ifMatch: etag as string }), null);
      equal(await kv.delete("k", { ifMatch: etag as string }), false);
      equal(await kv.delete("k", { ifMatch: swapped }), true);
    },
  },
  {
    name: "counters",
    async run({ kv }) {
      const counts = await Promise.all(range(300).map(() => kv.increment("n")));
      equal(
        counts.map(({ value }) => value),
        range(300).map((_, i) => BigInt(i + 1)),
      );
      const big = await kv.increment("n", { by: 2n ** 62n, ttl: 60, ttlMode: "always" });
      equal([big.value, big.ttlMs, big.etag], [2n ** 62n + 300n, 60_000, (await kv.head("n"))?.etag]);
      await rejects(kv.increment("n", { by: 2n ** 62n }), { code: "overflow", status: 409, outcomeUnknown: false });
      await rejects(kv.increment("n", { max: 5 }), { code: "out_of_bounds" });
      equal((await kv.increment("new", { by: -1, initial: 7, min: 0 })).value, 6n);
    },
  },
  {
    name: "lists",
    async run({ kv }) {
      const keys = range(250);
      await Promise.all(keys.map((key) => kv.put(key, key, { metadata: { key } })));
      await Promise.all(["d/1/a", "d/1/b", "d/2", "e"].map((key) => kv.put(key, "")));
      equal(await keysOf(kv, { prefix: "k" }), keys);
      equal(await keysOf(kv, { prefix: "k", reverse: true, pageSize: 100 }), keys.toReversed());
      equal(await keysOf(kv, { start: "k0010", end: "k0012" }), keys.slice(10, 12));
      equal(await keysOf(kv, { startAfter: "k0010", end: "k0012", consistency: "strong" }), keys.slice(11, 12));
      equal((await keysOf(kv, { prefix: "k", order: "any" })).toSorted(), keys);
      const pages = [];
      for await (const page of kv.pages({ prefix: "d/", delimiter: "/" })) pages.push(page);
      equal(
        pages.map(({ entries, prefixes }) => [entries.map(({ key }) => key), prefixes]),
        [[["d/2"], ["d/1/"]]],
      );
      for await (const { key, metadata, value } of kv.list({ prefix: "k", include: ["metadata", "value"] })) {
        equal([metadata, value], [{ key }, new TextEncoder().encode(key as string)]);
        if (key === "k0120") break;
      }
      const first = (await kv.pages({ prefix: "k", pageSize: 3 }).next()).value;
      const second = (await kv.pages({ prefix: "k", pageSize: 3, cursor: first?.cursor ?? "" }).next()).value;
      equal(
        second?.entries.map(({ key }) => key),
        keys.slice(3, 6),
      );
    },
  },
  {
    name: "eventual reads, which arrive at what was written",
    async run({ kv }) {
      const consistency = "eventual";
      await kv.put("k", "v");
      while ((await kv.get("k", { consistency })) !== "v") await pause(20);
      while ((await keysOf(kv, { consistency })).length === 0) await pause(20);
      // Perhaps of a replica that is behind the others.
      while ((await kv.head("k", { consistency })) === null) await pause(20);
    },
  },
  {
    name: "the deletion of a prefix",
    isLong: true,
    async run({ kv }) {
      const binary = Uint8Array.of(0xff, 0xfe);
      await Promise.all([...range(1_500).map((key) => kv.put(key, "")), kv.put("stays", ""), kv.put(binary, "")]);
      for (const dryRun of [true, false]) {
        const told = [];
        for await (const { deleted, cursor } of kv.deletePrefix("k", { dryRun })) told.push([deleted, cursor !== null]);
        equal(told.at(-1), [1_500, false]);
      }
      equal(await keysOf(kv), ["stays", binary]);
    },
  },
  {
    name: "code written for Cloudflare's KVNamespace",
    async run({ kv }) {
      const KV = asKVNamespace(kv);
      await KV.put("a", new Blob(["st", "ream"]).stream(), { metadata: { m: 1 }, expirationTtl: 60 });
      await KV.put("b", BYTES);
      equal(await KV.getWithMetadata("a"), { value: "stream", metadata: { m: 1 }, cacheStatus: null });
      equal(new Uint8Array((await KV.get("b", "arrayBuffer")) as ArrayBuffer), BYTES);
      equal(await new Response(await KV.get("b", "stream")).bytes(), BYTES);
      equal(
        await KV.get(["a", "none"]),
        new Map([
          ["a", "stream"],
          ["none", null],
        ]),
      );
      const { keys, list_complete } = await KV.list({ limit: 1 });
      equal([keys[0]?.name, keys[0]?.metadata, keys.length, list_complete], ["a", { m: 1 }, 1, false]);
      await KV.delete("a");
      equal(await KV.get("a"), null);
    },
  },
  {
    name: "a lock, held by one and waited for by another",
    async run({ kv, connect }) {
      const held = await lock(kv, "job", { ttl: 60 });
      equal(await lock(connect(), "job", { ttl: 60 }), null);
      const waiting = lock(connect(), "job", { ttl: 60, waitMs: 60_000 });
      equal(await held?.release(), true);
      equal(held?.signal.aborted, true);
      const next = await waiting;
      equal([next?.signal.aborted, await next?.release()], [false, true]);
      equal(await kv.get("job"), null);
    },
  },
  {
    name: "a value that is loaded once",
    async run({ connect }) {
      const clients = [connect(), connect(), connect()];
      let loads = 0;
      const load = async () => {
        await pause(50);
        return { loads: ++loads };
      };
      const callers = clients.flatMap((kv) => range(5).map(() => getOrSet(kv, "answer", 60, load)));
      equal(
        await Promise.all(callers),
        callers.map(() => ({ loads: 1 })),
      );
    },
  },
];

/** Fails unless the call fails with an error that has these. */
export async function rejects(call: Promise<unknown>, expected: Record<string, unknown>) {
  const error = await call.then(
    () => ({}),
    (error) => error,
  );
  equal(Object.fromEntries(Object.keys(expected).map((name) => [name, error[name]])), expected);
}
