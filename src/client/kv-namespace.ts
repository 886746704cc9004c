// The client in the shape of Cloudflare's binding `env.KV`, so that code that was written for it runs over this store
// unchanged. What each call does is in Cloudflare's documentation and in workerd's source (src/workerd/api/kv.c++); here
// a read sees every write.

import type { Client, Json, Page } from "./types.ts";

type Type = "text" | "json" | "arrayBuffer" | "stream";

interface Options<T extends Type | undefined> {
  type: T;
  /** Taken and without effect: nothing is cached. */
  cacheTtl?: number;
}

interface PutOptions {
  /** Seconds since 1970. */
  expiration?: number;
  /** Seconds from now; it wins over `expiration`. */
  expirationTtl?: number;
  // biome-ignore lint/suspicious/noExplicitAny: as Cloudflare's types have it.
  metadata?: any;
}

interface WithMetadata<V, M> {
  value: V | null;
  metadata: M | null;
  cacheStatus: null;
}

interface ListedKey<M> {
  name: string;
  expiration?: number;
  metadata?: M;
}

type ListResult<M> =
  | { list_complete: false; keys: ListedKey<M>[]; cursor: string; cacheStatus: null }
  | { list_complete: true; keys: ListedKey<M>[]; cacheStatus: null };

/** How a read is asked for, `T` its type: by name or among the options. */
type As<T extends Type> = T | Options<T>;
type AsText = "text" | Partial<Options<undefined>> | Options<"text">;

/** Assignable to `KVNamespace` of @cloudflare/workers-types. */
export interface KVNamespaceLike {
  get(key: string, as?: AsText): Promise<string | null>;
  get<V = unknown>(key: string, as?: As<"json">): Promise<V | null>;
  get(key: string, as?: As<"arrayBuffer">): Promise<ArrayBuffer | null>;
  get(key: string, as?: As<"stream">): Promise<ReadableStream | null>;
  get(keys: string[], as?: AsText): Promise<Map<string, string | null>>;
  get<V = unknown>(keys: string[], as?: As<"json">): Promise<Map<string, V | null>>;

  getWithMetadata<M = unknown>(key: string, as?: AsText): Promise<WithMetadata<string, M>>;
  getWithMetadata<V = unknown, M = unknown>(key: string, as?: As<"json">): Promise<WithMetadata<V, M>>;
  getWithMetadata<M = unknown>(key: string, as?: As<"arrayBuffer">): Promise<WithMetadata<ArrayBuffer, M>>;
  getWithMetadata<M = unknown>(key: string, as?: As<"stream">): Promise<WithMetadata<ReadableStream, M>>;
  getWithMetadata<M = unknown>(keys: string[], as?: AsText): Promise<Map<string, WithMetadata<string, M>>>;
  getWithMetadata<V = unknown, M = unknown>(keys: string[], as?: As<"json">): Promise<Map<string, WithMetadata<V, M>>>;

  put(key: string, value: string | ArrayBuffer | ArrayBufferView | ReadableStream, options?: PutOptions): Promise<void>;

  delete(key: string): Promise<void>;

  list<M = unknown>(options?: {
    limit?: number;
    prefix?: string | null;
    cursor?: string | null;
  }): Promise<ListResult<M>>;
}

/** The namespace of a client as a Worker would have it in its environment. */
export function asKVNamespace(client: Client): KVNamespaceLike {
  async function getOne(key: string, type: Type): Promise<WithMetadata<unknown, Json>> {
    const found = await client.getWithInfo(key, { type: "bytes" });
    return {
      value: found && typed(found.value, type),
      metadata: found?.metadata ?? null,
      cacheStatus: null,
    };
  }

  async function getWithMetadata(keys: string | string[], as?: Type | Partial<Options<Type | undefined>>) {
    const type = (typeof as === "string" ? as : as?.type) ?? "text";
    if (typeof keys === "string") return getOne(keys, type);
    return new Map(await Promise.all(keys.map(async (key) => [key, await getOne(key, type)] as const)));
  }

  return {
    getWithMetadata,
    async get(keys: string | string[], as?: Type) {
      const found = await getWithMetadata(keys, as);
      return found instanceof Map ? new Map([...found].map(([key, { value }]) => [key, value])) : found.value;
    },
    async put(key, value, { expiration, expirationTtl, metadata } = {}) {
      const isStream = value instanceof ReadableStream;
      await client.put(key, isStream ? await new Response(value).arrayBuffer() : value, {
        ...(expirationTtl ? { ttl: expirationTtl } : expiration && { expiresAt: new Date(expiration * 1000) }),
        ...(metadata != null && { metadata }),
      });
    },
    async delete(key) {
      await client.delete(key);
    },
    async list({ limit, prefix, cursor } = {}) {
      const pages = client.pages({
        pageSize: limit && limit > 0 ? limit : 1_000,
        prefix: prefix ?? undefined,
        cursor: cursor || undefined,
        include: ["metadata"],
      });
      const { entries, cursor: next } = (await pages.next()).value as Page;
      const keys = entries.map(({ key, expiresAt, metadata }) => ({
        name: typeof key === "string" ? key : new TextDecoder().decode(key),
        ...(expiresAt && { expiration: Math.floor(expiresAt.getTime() / 1000) }),
        ...(metadata !== undefined && { metadata }),
      }));
      const cacheStatus = null;
      return next
        ? { list_complete: false, keys, cursor: next, cacheStatus }
        : { list_complete: true, keys, cacheStatus };
    },
  } as KVNamespaceLike;
}

function typed(bytes: Uint8Array<ArrayBuffer>, type: Type): unknown {
  if (type === "arrayBuffer") return bytes.slice().buffer;
  if (type === "stream") return new Response(bytes).body;
  const text = new TextDecoder().decode(bytes);
  if (type === "text") return text;
  if (type !== "json") throw new TypeError("The type is one of text, json, arrayBuffer and stream.");
  try {
    return JSON.parse(text);
  } catch {
    // Its own message would quote the value.
    throw new SyntaxError("The value is not JSON.");
  }
}
