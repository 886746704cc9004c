// The state of every shard's sweep, asked of the database itself and not of a server: so it is true also when no server
// runs.

import { directStore } from "../batching/direct.ts";
import { inspectBackend } from "../database/backend.ts";
import { connect, type Database } from "../database/connect.ts";
import { ExpiredRows } from "../database/expired.ts";
import { watchShards } from "../database/shards.ts";
import { Table } from "../database/table.ts";
import { keyspaceOf, urlOfShard } from "../database/url.ts";
import type { EntryKey } from "../store/store.ts";
import { LEASE_CALL_MS, Lease } from "./lease.ts";
import { COUNTED_ROWS, emptyReport, parseReport, type SweepStatus } from "./report.ts";
import { sweepLeaseKey } from "./sweeper.ts";

const DEADLINE_MS = 5_000;
const CONNECTIONS = 8;
const QUEUE = 100_000;

/**
 * The report of each shard's holder, with age and backlog as they are now; null of a shard that does not answer. Throws
 * where there is no table, or nothing answers.
 */
export async function readSweepStatus(url: string): Promise<Map<string, SweepStatus | null>> {
  const backend = await inspectBackend(url);
  const database = connect({ url, backend, connections: CONNECTIONS, queueLimit: QUEUE });
  try {
    const shards = await watchShards(database, {
      backend,
      keyspace: keyspaceOf(url),
      hash: (key) => Bun.hash.xxHash64(key),
    });
    // All at once, before the shards can change.
    const leases = shards.names().map((shard) => ({ shard, key: sweepLeaseKey(shard, shards) }));
    const read = async ({ shard, key }: (typeof leases)[0]) => {
      const primary = connect({ url: urlOfShard(url, shard), backend, connections: 1, queueLimit: 2 });
      const report = await readShard(key, database, primary).catch(() => null);
      await primary.close();
      return [shard, report] as const;
    };
    return new Map(await Promise.all(leases.map(read)));
  } finally {
    await database.close();
  }
}

async function readShard(key: EntryKey, database: Database, primary: Database): Promise<SweepStatus> {
  const deadline = performance.now() + DEADLINE_MS;
  const expired = new ExpiredRows(primary);
  const held = await new Lease(directStore(new Table(database), LEASE_CALL_MS), key, 0).read();
  const [oldest] = await expired.find(1, null, deadline);
  return {
    ...((held && parseReport(held.note)) ?? emptyReport("")),
    oldestAgeMs: oldest?.ageMs ?? 0,
    backlogRows: await expired.count(COUNTED_ROWS, deadline),
  };
}
