// All of a server but its sockets and the database, in this process.

import pino from "pino";
import { type AppOptions, createApp } from "../src/app.ts";
import { batchingStore } from "../src/batching/batching.ts";
import type { BatchingObserver } from "../src/batching/observer.ts";
import { ONE_SHARD } from "../src/database/shards.ts";
import { BATCH_BYTES } from "../src/limits.ts";
import { type Entry, entryKey, type NewEntry, type Store } from "../src/store/store.ts";
import { newVersion } from "../src/store/version.ts";
import { StubTable } from "./costs/stub-table.ts";
import { VALUE } from "./system.ts";

/** Calls of one run: what a batch takes. */
export const CALLS = 500;
/** So far away that no call reaches it. */
export const DEADLINE_MS = 600_000;

export const names = Array.from({ length: CALLS }, (_, i) => `key${String(i).padStart(4, "0")}`);
export const NAMESPACE_URL = "http://127.0.0.1:8787/v1/kv/bench";
export const urls = names.map((name) => `${NAMESPACE_URL}/${name}`);
export const keys = names.map((name) => entryKey("bench", name));
const value = Buffer.from(VALUE);
export const entry: NewEntry = { value, contentType: "text/plain", metadata: null, expiry: "never" };
export const found: Entry = { ...entry, valueBytes: value.length, version: newVersion(), expiry: null };
export const put = (url: string) => new Request(url, { method: "PUT", body: value });

/** Who is told of requests, and of calls and batches. */
export interface Observers {
  requests?: AppOptions["observer"];
  calls?: BatchingObserver;
}

export function appOver(store: Store, observer?: AppOptions["observer"]) {
  return createApp(store, {
    ...{ maxValueBytes: 1024 * 1024, bodyTimeoutMs: DEADLINE_MS, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false, observer },
  });
}

/** Batches calls over a table that does nothing. */
export function batchingOverNothing(observer?: BatchingObserver) {
  const table = new StubTable(found, keys);
  return batchingStore(
    { ...ONE_SHARD, tableAt: () => table, ping: async () => {} },
    {
      ...{ inFlight: { reads: 1, writes: 1 }, batchRows: CALLS, batchBytes: BATCH_BYTES, observer },
      ...{ maxCalls: 2 * CALLS, maxBytes: 256 * 1024 * 1024, deadlineMs: DEADLINE_MS },
    },
  );
}

export function wholeServer({ requests, calls }: Observers = {}) {
  return appOver(batchingOverNothing(calls), requests);
}
