// What the client takes and gives: no code, only types.

/** 1 to 512 bytes: text, which stands for its UTF-8, or bytes of any kind. `.` and `..` have no URL and are refused. */
export type Key = string | Uint8Array;

/** Text, which is stored as UTF-8, or bytes. */
export type Value = string | ArrayBuffer | ArrayBufferView;

/** Anything that JSON can say. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json | undefined };

/** "strong" sees every write that was acknowledged before the read began; "eventual" may be answered by a replica. */
export type Consistency = "strong" | "eventual";

export interface CallOptions {
  /**
   * Gives the call up: it rejects at once with the signal's reason. A call that was not sent is never sent; a write that
   * was sent may still happen.
   */
  signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  consistency?: Consistency;
}

/** When an entry shall expire: at most one of the three. It may be 100 years away. */
export interface Expiry {
  /** Whole seconds from now. */
  ttl?: number;
  /** Whole milliseconds from now. */
  ttlMs?: number;
  /** An instant; a past one removes the key. */
  expiresAt?: Date;
}

export interface PutOptions extends CallOptions, Expiry {
  /** Keeps the expiry that the key has; without this a write clears it, as Redis's SET does. */
  keepTtl?: boolean;
  /** Text is `text/plain; charset=utf-8` unless this says otherwise, bytes are `application/octet-stream`. */
  contentType?: string;
  /** Kept with the value: JSON of at most 1,024 bytes. */
  metadata?: Json;
}

/** Under which a write may happen. */
export interface Condition {
  /** Only while this version is there, or any with "*". */
  ifMatch?: string;
  /** Unless this version is there; "*" creates only. */
  ifNoneMatch?: string;
}

export interface Ttl {
  /** Milliseconds that are left by the store's clock; null never expires. */
  ttlMs: number | null;
  expiresAt: Date | null;
}

export interface Info {
  /** The version, with its quotes. No two writes have the same. */
  etag: string;
  contentType: string;
  /** null where there is none. */
  metadata: Json;
  /** Of the value. */
  bytes: number;
  expiresAt: Date | null;
}

export interface Entry<V> extends Info {
  value: V;
}

export interface IncrementOptions extends CallOptions, Expiry {
  /** 1 unless given; negative counts down. */
  by?: number | bigint;
  /** What is counted from where there is no such key; 0 unless given. */
  initial?: number | bigint;
  /** The result may not be below it: the call then fails with `out_of_bounds` and changes nothing. */
  min?: number | bigint;
  /** The same for above. */
  max?: number | bigint;
  /** "always" renews the expiry; without it the expiry counts only where the call creates the counter. */
  ttlMode?: "always";
}

export interface Counter extends Ttl {
  /** A signed integer of 64 bits. */
  value: bigint;
  etag: string;
}

export interface ListOptions extends ReadOptions {
  prefix?: Key;
  /** The first key, if it is there. */
  start?: Key;
  /** The key before the first. */
  startAfter?: Key;
  /** The key after the last. */
  end?: Key;
  reverse?: boolean;
  /** Keys that have it after the prefix are given as one common prefix, in `prefixes` of a page. */
  delimiter?: string;
  /** Of one request: 1 to 1,000, 100 unless given. Pages may be shorter. */
  pageSize?: number;
  /** What is given with each key; values cost the store the reading of them. */
  include?: ("metadata" | "value")[];
  /** "key" is bytewise over all shards; "any" walks one shard after the other, which is cheaper for exports. */
  order?: "key" | "any";
  /** Of a page: goes on after that page of the same query. */
  cursor?: string;
}

export interface ListEntry {
  /** Bytes where the key is not UTF-8. */
  key: Key;
  etag: string;
  expiresAt: Date | null;
  bytes: number;
  contentType: string;
  /** Where `include` names it and there is any. */
  metadata?: Json;
  /** Where `include` names it: bytes, whatever the content type is. */
  value?: Uint8Array;
}

export interface Page {
  entries: ListEntry[];
  /** Common prefixes, where the query has a delimiter. */
  prefixes: Key[];
  /** null after the last page. */
  cursor: string | null;
}

export interface Deletion {
  /** Keys that were deleted since the walk began here. */
  deleted: number;
  /** null at the end. */
  cursor: string | null;
}

export interface ClientOptions {
  /** Where the store is, such as `https://kv.example.com`. */
  url: string;
  namespace: string;
  /**
   * A bearer token, or what gives the one that is valid now: it is asked before each request, and calls reject with
   * whatever it throws.
   */
  token?: string | (() => string | Promise<string>);
  /** How requests are sent: the global `fetch` unless given. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** What a request may take with its retries, in milliseconds; 15,000 unless given, for the server's own limit is 10,000. */
  timeoutMs?: number;
  /** How often a call is sent again where nothing was changed; 3 unless given. */
  retries?: number;
  /** Whether calls of one tick share a request; true unless given. */
  batching?: boolean;
  /**
   * How many requests may be under way at once; no limit unless given. Calls that come meanwhile wait, and share the next
   * ones.
   */
  maxRequests?: number;
}

/**
 * One namespace of a store.
 *
 * That a key is absent, or that a condition does not hold, is an answer: `null` or `false`. Anything else that goes wrong
 * is a `KVError`. Calls on one key take effect in the order in which they were made.
 */
export interface Client {
  /**
   * The value; null where there is none. Text is decoded as UTF-8. A document may be null itself: `getWithInfo` tells the
   * two apart.
   */
  get(key: Key, options?: ReadOptions & { type?: "text" }): Promise<string | null>;
  get<T = Json>(key: Key, options: ReadOptions & { type: "json" }): Promise<T | null>;
  get(key: Key, options: ReadOptions & { type: "bytes" }): Promise<Uint8Array<ArrayBuffer> | null>;

  /** The value with everything that is known about it. */
  getWithInfo(key: Key, options?: ReadOptions & { type?: "text" }): Promise<Entry<string> | null>;
  getWithInfo<T = Json>(key: Key, options: ReadOptions & { type: "json" }): Promise<Entry<T> | null>;
  getWithInfo(key: Key, options: ReadOptions & { type: "bytes" }): Promise<Entry<Uint8Array<ArrayBuffer>> | null>;

  /** Everything but the value. */
  head(key: Key, options?: ReadOptions): Promise<Info | null>;

  /** Sets the value and gives its version; null where the condition does not hold. */
  put(key: Key, value: Value, options?: PutOptions): Promise<string>;
  put(key: Key, value: Value, options: PutOptions & Condition): Promise<string | null>;

  /** The same with a document as JSON. */
  putJson(key: Key, document: unknown, options?: PutOptions): Promise<string>;
  putJson(key: Key, document: unknown, options: PutOptions & Condition): Promise<string | null>;

  /** Makes sure that the key is not there; false where the condition does not hold. */
  delete(key: Key, options?: CallOptions & Pick<Condition, "ifMatch">): Promise<boolean>;

  /** How long the key stays; null where it is absent. */
  ttl(key: Key, options?: ReadOptions): Promise<Ttl | null>;

  /**
   * Sets when the key expires and gives that; null where the key is absent or a condition does not hold. `if` is of
   * Redis's EXPIRE: "nx" none is set, "xx" one is set, "gt" only later, "lt" only earlier.
   */
  expire(
    key: Key,
    options: CallOptions & Expiry & Pick<Condition, "ifMatch"> & { if?: "nx" | "xx" | "gt" | "lt" },
  ): Promise<Ttl | null>;

  /** Lets the key stay for ever; false where it is absent. */
  persist(key: Key, options?: CallOptions): Promise<boolean>;

  /**
   * Adds to a counter. Rejects with the code `not_a_number`, `overflow` or `out_of_bounds` where that can't be done, and
   * changes nothing then.
   */
  increment(key: Key, options?: IncrementOptions): Promise<Counter>;

  /** Every entry, page after page: each key that is there during the whole listing, once. It is no snapshot. */
  list(options?: ListOptions): AsyncGenerator<ListEntry, void, void>;

  /** The same by pages, with common prefixes, and cursors to go on from. */
  pages(options?: ListOptions): AsyncGenerator<Page, void, void>;

  /** Deletes the keys that begin so, and tells after each step how far it is; with `dryRun` it only counts. */
  deletePrefix(
    prefix: Key,
    options?: CallOptions & { dryRun?: boolean; cursor?: string },
  ): AsyncGenerator<Deletion, void, void>;
}
