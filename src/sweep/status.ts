// The state of a shard's sweep, asked of the shard itself: so it is true whoever sweeps, and also when no server runs.

import { inspectBackend } from "../database/backend.ts";
import { connect } from "../database/connect.ts";
import { watchShards } from "../database/shards.ts";
import { keyspaceOf } from "../database/url.ts";
import { holderOf } from "./lease.ts";
import { openShard, type Shard, type ShardOptions } from "./shards.ts";

/** A backlog is counted no further: so far it takes a few milliseconds, unless much is still to be purged. */
export const COUNTED_ROWS = 10_000;
const DEADLINE_MS = 3_000;

export interface SweepStatus {
  /** The server that sweeps; empty if none does. */
  holder: string;
  /** How long ago the oldest row expired that is left; 0 where none is. */
  oldestAgeMs: number;
  /** Expired rows that are left, counted up to COUNTED_ROWS. */
  backlogRows: number;
}

/** Throws `StoreError`. */
export async function sweepStatus({ store, leaseKey, expired }: Shard): Promise<SweepStatus> {
  const deadline = performance.now() + DEADLINE_MS;
  const [holder, [oldest], backlogRows] = await Promise.all([
    holderOf(store, leaseKey),
    expired.find(1, null, deadline),
    expired.count(COUNTED_ROWS, deadline),
  ]);
  return { holder: holder ?? "", oldestAgeMs: oldest?.ageMs ?? 0, backlogRows };
}

/**
 * The same of every shard, by its name; null of a shard that does not answer. Throws where there is no table, or nothing
 * answers.
 */
export async function readSweepStatus(
  options: Pick<ShardOptions, "url" | "storeOver"> & { hash: (key: Uint8Array) => bigint },
): Promise<Map<string, SweepStatus | null>> {
  const { url, hash } = options;
  const backend = await inspectBackend(url);
  const database = connect({ url, backend, connections: 1, queueLimit: 10 });
  try {
    const shards = await watchShards(database, { backend, keyspace: keyspaceOf(url), hash });
    // All at once, before the shards can change.
    const opened = shards.names().map((name) => [name, openShard(name, { ...options, backend, shards })] as const);
    const read = async ([name, shard]: (typeof opened)[0]) => {
      const status = await sweepStatus(shard).catch(() => null);
      await shard.close();
      return [name, status] as const;
    };
    return new Map(await Promise.all(opened.map(read)));
  } finally {
    await database.close();
  }
}
