// How the sweep reaches a shard: connections of its own, so that callers who take all of theirs can't stop it, and the
// lease, which is an entry in that very shard, so that no shard's sweep depends on another.

import type { Backend } from "../database/backend.ts";
import { connect } from "../database/connect.ts";
import { ExpiredRows } from "../database/expired.ts";
import { observed } from "../database/observed.ts";
import type { DatabaseObserver } from "../database/observer.ts";
import { keyOfShard, type Shards } from "../database/shards.ts";
import { Table } from "../database/table.ts";
import { urlOfShard } from "../database/url.ts";
import { type EntryKey, leaseKey, type Store } from "../store/store.ts";
import { LEASE_CALL_MS } from "./lease.ts";

/** One for the sweep's steps, the others for its lease and for questions about it. */
const CONNECTIONS = 3;
const QUEUE = 1_000;

export interface ShardOptions {
  url: string;
  backend: Backend;
  shards: Shards;
  /** Makes a Store of a shard's table, with so long a deadline for each call. */
  storeOver: (table: Table, deadlineMs: number) => Store;
  observer?: DatabaseObserver;
}

export interface Shard {
  leaseKey: EntryKey;
  /** Has the lease. */
  store: Store;
  expired: ExpiredRows;
  close: () => Promise<void>;
}

/** Nothing is contacted yet. Throws where there is no such shard, or no longer. */
export function openShard(shard: string, { url, backend, shards, storeOver, observer }: ShardOptions): Shard {
  const key = sweepLeaseKey(shard, shards);
  const limits = { connections: CONNECTIONS, queueLimit: QUEUE };
  const connected = connect({ url: urlOfShard(url, shard), backend, ...limits, observer });
  const primary = observed(connected, { shard, type: "primary" }, observer);
  return {
    leaseKey: key,
    store: storeOver(new Table(primary), LEASE_CALL_MS),
    expired: new ExpiredRows(primary),
    close: () => primary.close(),
  };
}

/** The lease of a shard's sweep. Throws where there is no such shard, or no longer. */
export function sweepLeaseKey(shard: string, shards: Shards): EntryKey {
  return keyOfShard(shard, shards, (n) => leaseKey(`sweep/${shard}/${n}`));
}
