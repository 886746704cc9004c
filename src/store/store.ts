// What a store promises: read this page first. Every layer below is a Store, and every layer above uses one.

import { randomBytes } from "node:crypto";

/** An entry's primary key, `namespace/key` as bytes. Made by `entryKey` only. */
export type EntryKey = Buffer & { readonly brand: unique symbol };

/**
 * Joins a namespace, which holds no slash, and a key of any bytes, each as a character (latin1). No two pairs give
 * the same result.
 */
export function entryKey(namespace: string, key: string): EntryKey {
  return Buffer.from(`${namespace}/${key}`, "latin1") as EntryKey;
}

/** A key as something that a Map can compare. */
export function keyName(key: Buffer): string {
  return key.toString("latin1");
}

/** Identifies one write of one value, in hexadecimal; no two writes share one, whatever was deleted in between. */
export type Version = string;

/** Bytes of a version. */
export const VERSION_BYTES = 16;

/** Random bytes are drawn for many versions at once: one draw costs about as much as a statement's row. */
const POOL_VERSIONS = 256;
let pool = "";
let used = 0;

export function newVersion(): Version {
  if (used === pool.length) {
    pool = randomBytes(POOL_VERSIONS * VERSION_BYTES).toString("hex");
    used = 0;
  }
  const version = pool.slice(used, used + 2 * VERSION_BYTES);
  used += version.length;
  return version;
}

/** Everything about an entry but its value. */
export interface EntryInfo {
  version: Version;
  contentType: string;
  /** The JSON text given with the value. */
  metadata: string | null;
  valueBytes: number;
  /** When it expires and how long that is from now, by the clock of the shard's primary; null if never. */
  expiry: { atMs: number; ttlMs: number } | null;
}

export interface Entry extends EntryInfo {
  value: Buffer;
}

export interface NewEntry {
  value: Buffer;
  contentType: string;
  metadata: string | null;
  expiry: NewExpiry;
}

/** An expiry as a caller asks for it. `atMs` may be past: the entry is then gone at once. */
export type ExpiryTime = { afterMs: number } | { atMs: number };

/** `keep` leaves the expiry that the entry has; a new entry then has none. */
export type NewExpiry = ExpiryTime | "never" | "keep";

/**
 * Versions under which a write may happen (RFC 9110, sections 13.1.1 and 13.1.2). `*` is any live entry.
 * `ifMatch` never holds for an absent entry, `ifNoneMatch` always does.
 */
export interface Condition {
  ifMatch?: "*" | Version[];
  ifNoneMatch?: "*" | Version[];
}

/** What `nx`, `xx`, `gt` and `lt` mean to Redis's EXPIRE: an entry without expiry counts as infinitely far from it. */
type ExpiryCondition = "nx" | "xx" | "gt" | "lt";

/** What must hold for an expiry to change. */
export interface ExpireCondition {
  if?: ExpiryCondition;
  ifMatch?: Condition["ifMatch"];
}

export type ExpireResult =
  | { outcome: "set"; atMs: number; ttlMs: number }
  | { outcome: "absent" }
  | { outcome: "condition_failed" };

/**
 * A linearizable map from keys to entries, in which an expired entry is absent to every call from its
 * millisecond on. Times are judged by the clock of the shard's primary, never by the caller's.
 *
 * Every call settles within the store's deadline. It throws `StoreError`: `unavailable` and `overloaded` when
 * nothing was changed, `internal` when nothing was and never will be, `outcome_unknown` when a write may or may not
 * have happened, or may yet, and there is no trace of it.
 */
export interface Store {
  get(key: EntryKey): Promise<Entry | null>;

  /** The entry without its value. */
  head(key: EntryKey): Promise<EntryInfo | null>;

  /** Writes the entry and returns its new version, or null when the condition does not hold. */
  put(key: EntryKey, entry: NewEntry, condition?: Condition): Promise<Version | null>;

  /** Removes the entry, if any; false when `ifMatch` does not hold. */
  delete(key: EntryKey, ifMatch?: Condition["ifMatch"]): Promise<boolean>;

  /** Changes when a live entry expires; its version stays. */
  expire(key: EntryKey, expiry: ExpiryTime, condition?: ExpireCondition): Promise<ExpireResult>;

  /** Makes a live entry permanent; false when there is none. */
  persist(key: EntryKey): Promise<boolean>;

  /** Asks the database for a sign of life. */
  ping(): Promise<void>;
}

/** An entry that has expired and whose row is still there. */
export interface ExpiredKey {
  key: EntryKey;
  /** When it expired, in epoch milliseconds, and how long ago that is, both by the clock of the shard's primary. */
  atMs: number;
  ageMs: number;
}

/** What reclaiming needs of a shard, or of a database of one shard; of all shards together it is an approximation. */
export interface ExpiredStore {
  /**
   * The expired entries that come first after the given one, at most `limit`, in the order of their expiry and then of
   * their keys; without any lock. Some may have been extended, overwritten or reclaimed by the time the caller sees
   * them.
   */
  findExpired(limit: number, after: ExpiredKey | null, deadline: number): Promise<ExpiredKey[]>;
  /** How many there are, counted no further than `limit`. */
  countExpired(limit: number, deadline: number): Promise<number>;
  /** Deletes the rows of those keys that are expired at that moment, and returns how many these were. */
  reclaim(keys: EntryKey[], deadline: number): Promise<number>;
}

/** An unconditional write, with the version that it will have. */
export interface Put {
  key: EntryKey;
  version: Version;
  /** Its expiry is not `keep`. */
  entry: NewEntry;
}

/**
 * A store that does many calls in one statement; keys of a call are distinct. `deadline` is an instant as
 * performance.now() counts and bounds a call in the store's own deadline's place.
 */
export interface BatchStore extends Store {
  get(key: EntryKey, deadline?: number): Promise<Entry | null>;
  head(key: EntryKey, deadline?: number): Promise<EntryInfo | null>;
  put(key: EntryKey, entry: NewEntry, condition?: Condition, deadline?: number): Promise<Version | null>;
  delete(key: EntryKey, ifMatch?: Condition["ifMatch"], deadline?: number): Promise<boolean>;
  expire(key: EntryKey, expiry: ExpiryTime, condition?: ExpireCondition, deadline?: number): Promise<ExpireResult>;
  persist(key: EntryKey, deadline?: number): Promise<boolean>;
  /**
   * What `get` would give, by `keyName`; absent keys are missing. "expired" where `confirmMany` has to be asked, "large"
   * where fewer keys at once would do.
   */
  getMany(keys: EntryKey[], deadline: number): Promise<Map<string, Entry | "expired" | "large">>;
  /**
   * The same for keys that were found expired, absent ones as null: their rows are gone. Missing where only `get` can
   * tell, because it may have to wait for a writer, which is no other key's business.
   */
  confirmMany(keys: EntryKey[], deadline: number): Promise<Map<string, Entry | null>>;
  /** Writes all entries. Where an error leaves the outcome open, it is open for each entry by itself. */
  putMany(puts: Put[], deadline: number): Promise<void>;
  deleteMany(keys: EntryKey[], deadline: number): Promise<void>;
}
