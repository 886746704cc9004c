// What a store promises: read this page first. Every layer below is a Store, and every layer above uses one.

import type { Version } from "./version.ts";

/** An entry's primary key, `namespace/key` as bytes. Made by `entryKey` only. */
export type EntryKey = Buffer & { readonly brand: unique symbol };

/**
 * Joins a namespace, which holds no slash, and a key of any bytes, each as a character (latin1). No two pairs give
 * the same result.
 */
export function entryKey(namespace: string, key: string): EntryKey {
  return Buffer.from(`${namespace}/${key}`, "latin1") as EntryKey;
}

/** No namespace of a client's holds a dot (NAMESPACE_PATTERN). */
const LEASES = ".lease";
const DICTIONARIES = ".dictionary";

/** The key of an entry of the servers' own, by which they agree on something: no client can name it. */
export function leaseKey(name: string): EntryKey {
  return entryKey(LEASES, name);
}

/** The key of an entry about how values are packed; nobody can name it either. */
export function dictionaryKey(name: string): EntryKey {
  return entryKey(DICTIONARIES, name);
}

/** A key as something that a Map can compare. */
export function keyName(key: Buffer): string {
  return key.toString("latin1");
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

/** What a PUT gives an entry. */
export interface Content {
  value: Buffer;
  contentType: string;
  metadata: string | null;
}

export interface NewEntry extends Content {
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

/** What an update sees of a live entry, and what it leaves. */
export interface EntryState {
  /** Undefined where it has not been read. */
  content: Content | undefined;
  /** Epoch milliseconds; null never expires. */
  expiresAtMs: number | null;
}

/** A change of an entry that depends on what is there. */
export interface Update<A> {
  /**
   * Decides on what is there, which is null where no entry lives. Pure, because it is asked again where another write was
   * first. An entry whose content is the very same object keeps its value and its version; any other value gets `version`.
   */
  apply(found: EntryState | null, at: UpdateTime): { entry: EntryState | null; answer: A };
  /** How much of the value it looks at, from its beginning: it may be shown no more. Undefined where it looks at no content. */
  valueBytes?: number;
  /** By how much it makes a value longer at most; memory is set aside for so much. */
  bytes: number;
}

/** A change of several entries together, as `Update` is of one; each is given with its whole value. */
export interface Transaction<A> {
  apply(found: (EntryState | null)[], nowMs: number): { entries: (EntryState | null)[]; answer: A };
  bytes: number;
}

export interface UpdateTime {
  /** Epoch milliseconds by the clock of the shard's primary. */
  nowMs: number;
  /** Of the value that it writes, if it does. */
  version: Version;
}

/** A change of a counter, see `counter.ts`. */
export interface Increment {
  by: bigint;
  /** What a counter that is not there counts from. */
  initial: bigint;
  /** Bounds of what it becomes. */
  min?: bigint;
  max?: bigint;
  /** Given to a counter that is made, and with `renews` to one that is there. */
  expiry?: ExpiryTime;
  renews?: boolean;
}

/** Why a counter was left as it was. */
export type CounterRefusal = "not_a_number" | "overflow" | "out_of_bounds";

export type IncrementResult =
  | { outcome: "set"; value: bigint; version: Version; expiry: EntryInfo["expiry"] }
  | { outcome: CounterRefusal };

/** A page of a listing: of keys from `start` on and before `end`, which are `namespace/key` as bytes. */
export interface ListQuery {
  start: Buffer;
  end: Buffer;
  /** By their bytes, for which every shard is asked; or one shard after the other. */
  order: "key" | "any";
  /** From the end; in the order of keys only. */
  reverse: boolean;
  /** Most entries, and most bytes of their values, of which one alone may have more. */
  limit: number;
  valueBytes?: number;
  /** What the page before has left. */
  rest?: ListRest;
  consistency?: Consistency;
}

export interface ListPage {
  entries: ListedEntry[];
  /** Null at the end. A page may be short, or empty, before that. */
  rest: ListRest | null;
}

export interface ListedEntry extends EntryInfo {
  key: EntryKey;
}

/**
 * What is left of a listing, in whichever shards it may be by then. In the order of keys: another `start`, or where it
 * is reversed, another `end`. By shards: parts of the hash's range in their order, from `from` to the first part's end
 * and so on to the end of the range, each with the keys after one of its own.
 */
export type ListRest = { bound: Buffer } | { from: bigint; parts: { end: bigint; after: Buffer | null }[] };

/** The first of all keys behind one. */
export function following(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

/** The first of all keys that is behind each that begins so; a prefix has a byte that is not 0xFF. */
export function behindPrefix(prefix: Buffer): Buffer {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  const bound = Buffer.from(prefix.subarray(0, last + 1));
  bound[last] = (bound[last] as number) + 1;
  return bound;
}

/** Who waits for an answer, such as an `AbortSignal`: of one that has gone, a call that was not sent yet is dropped. */
export interface Caller {
  readonly aborted: boolean;
}

/**
 * Whether a read sees every write that was acknowledged before it, or what a replica has by now, which may be some
 * seconds old. A store without replicas answers both alike.
 */
export type Consistency = "strong" | "eventual";

/**
 * A linearizable map from keys to entries, in which an expired entry is absent to every call from its
 * millisecond on. Times are judged by the clock of the shard's primary, never by the caller's.
 *
 * Writes of a key that are called in the same turn of the event loop happen in the order of these calls.
 *
 * Every call settles within the store's deadline. It throws `StoreError`: `unavailable` and `overloaded` when
 * nothing was changed, `internal` when nothing was and never will be, `outcome_unknown` when a write may or may not
 * have happened, or may yet, and there is no trace of it.
 */
export interface Store {
  get(key: EntryKey, caller?: Caller, consistency?: Consistency): Promise<Entry | null>;

  /** The entry without its value. */
  head(key: EntryKey, caller?: Caller, consistency?: Consistency): Promise<EntryInfo | null>;

  /** Writes the entry and returns its new version, or null when the condition does not hold. */
  put(key: EntryKey, entry: NewEntry, condition?: Condition, caller?: Caller): Promise<Version | null>;

  /** Removes the entry, if any; false when `ifMatch` does not hold. */
  delete(key: EntryKey, ifMatch?: Condition["ifMatch"], caller?: Caller): Promise<boolean>;

  /** Changes when a live entry expires; its version stays. */
  expire(key: EntryKey, expiry: ExpiryTime, condition?: ExpireCondition, caller?: Caller): Promise<ExpireResult>;

  /** Makes a live entry permanent; false when there is none. */
  persist(key: EntryKey, caller?: Caller): Promise<boolean>;

  /** Changes the entry, or makes or removes it, as the update decides on what is there. */
  update<A>(key: EntryKey, update: Update<A>, caller?: Caller): Promise<A>;
  /**
   * Changes several entries together, of different keys: all of it happens at one instant, or nothing. Only where one
   * shard has all of them; elsewhere, or in a store that can't, nothing happens and null is returned. In no order with
   * writes that are called in the same turn.
   */
  transact<A>(keys: EntryKey[], transaction: Transaction<A>, caller?: Caller): Promise<{ answer: A } | null>;
  /**
   * Live entries of a range. No snapshot: each row is read at some instant of the call. What is there throughout a
   * listing is in exactly one of its pages, also while shards are split and merged. Throws a RangeError for a rest that
   * this store can't go on from.
   */
  list(query: ListQuery, caller?: Caller): Promise<ListPage>;
  /** Asks the database for a sign of life. */
  ping(): Promise<void>;
}
