// The kinds of call that are simulated: as requests, whose cost for a server is measured, and as what a server asks its
// store for.

import { incrementing } from "../../src/store/counter.ts";
import { type EntryKey, entryKey, type NewEntry, type Store } from "../../src/store/store.ts";
import type { Version } from "../../src/store/version.ts";
import { VALUE } from "../system.ts";

/** Keys of a batch, and entries of a page. */
export const SEVERAL = 100;

export const KINDS = ["read", "write"] as const;
export type Kind = (typeof KINDS)[number];
/** The call that stands for all of a kind, which is one statement of the same name. */
export const USUAL = { read: "get", write: "put" } as const;

interface CallKind {
  kind: Kind;
  /** Whether its keys are of no row yet. */
  isNew?: true;
  keys?: typeof SEVERAL;
  /** To the URL of a namespace, about keys by their names. */
  request: (namespace: string, names: string[], version: Version) => Request;
  make: (store: Store, keys: EntryKey[], entry: NewEntry, version: Version) => Promise<unknown>;
}

/** Further away than any measurement takes. */
const TTL_MS = 100_000_000_000;
const LISTED = { start: entryKey("", ""), end: Buffer.of(0xff), order: "key", reverse: false, limit: SEVERAL } as const;

const keyOf = (keys: EntryKey[]) => keys[0] as EntryKey;
const put = (url: string, headers: Record<string, string> = {}, body: string | Buffer = VALUE) =>
  new Request(url, { method: "PUT", headers, body });
const batch = (namespace: string, operations: object[]) =>
  new Request(namespace, { method: "POST", body: JSON.stringify({ operations }) });

const CALLS = {
  get: {
    kind: "read",
    request: (namespace, [name]) => new Request(`${namespace}/${name}`),
    make: (store, keys) => store.get(keyOf(keys)),
  },
  head: {
    kind: "read",
    request: (namespace, [name]) => new Request(`${namespace}/${name}`, { method: "HEAD" }),
    make: (store, keys) => store.head(keyOf(keys)),
  },
  put: {
    kind: "write",
    request: (namespace, [name]) => put(`${namespace}/${name}`),
    make: (store, keys, entry) => store.put(keyOf(keys), entry),
  },
  delete: {
    kind: "write",
    request: (namespace, [name]) => new Request(`${namespace}/${name}`, { method: "DELETE" }),
    make: (store, keys) => store.delete(keyOf(keys)),
  },
  create: {
    ...{ kind: "write", isNew: true },
    request: (namespace, [name]) => put(`${namespace}/${name}`, { "If-None-Match": "*" }),
    make: (store, keys, entry) => store.put(keyOf(keys), entry, { ifNoneMatch: "*" }),
  },
  "if-match": {
    kind: "write",
    request: (namespace, [name], version) => put(`${namespace}/${name}`, { "If-Match": `"${version}"` }),
    make: (store, keys, entry, version) => store.put(keyOf(keys), entry, { ifMatch: [version] }),
  },
  expire: {
    kind: "write",
    request: (namespace, [name]) => put(`${namespace}/${name}/ttl`, {}, JSON.stringify({ ttl_ms: TTL_MS })),
    make: (store, keys) => store.expire(keyOf(keys), { afterMs: TTL_MS }),
  },
  increment: {
    kind: "write",
    request: (namespace, [name]) => new Request(`${namespace}/${name}/increment`, { method: "POST" }),
    make: (store, keys) => store.update(keyOf(keys), incrementing({ by: 1n, initial: 0n })),
  },
  "get batch": {
    ...{ kind: "read", keys: SEVERAL },
    request: (namespace, names) =>
      batch(
        namespace,
        names.map((key) => ({ op: "get", key })),
      ),
    make: (store, keys) => Promise.all(keys.map((key) => store.get(key))),
  },
  "put batch": {
    ...{ kind: "write", keys: SEVERAL },
    request: (namespace, names) =>
      batch(
        namespace,
        names.map((key) => ({ op: "put", key, value: VALUE })),
      ),
    make: (store, keys, entry) => Promise.all(keys.map((key) => store.put(key, entry))),
  },
  list: {
    kind: "read",
    request: (namespace) => new Request(`${namespace}?limit=${SEVERAL}`),
    make: (store) => store.list(LISTED),
  },
} satisfies Record<string, CallKind>;

export type CallName = keyof typeof CALLS;
export const CALL_NAMES = Object.keys(CALLS) as CallName[];

export function callKind(name: CallName): CallKind {
  return CALLS[name];
}
