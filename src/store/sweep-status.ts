// The state of every shard's sweep, asked of the database itself and not of a server: so it is true also when no server
// runs.

import { inspectBackend } from "./backend.ts";
import { connect, type Database } from "./connect.ts";
import { Lease } from "./lease.ts";
import { type Shards, urlOfShard, watchShards } from "./shards.ts";
import { SqlStore } from "./sql.ts";
import { COUNTED_ROWS, emptyReport, parseReport, type SweepReport } from "./sweep-report.ts";
import { sweepLeaseKey } from "./sweeper.ts";

const DEADLINE_MS = 5_000;

/** The report of each shard's holder, with age and backlog as they are now. Throws `StoreError`, also without a table. */
export async function readSweepStatus(url: string): Promise<Map<string, SweepReport>> {
  const backend = await inspectBackend(url);
  const open = (target: string) => connect({ url: target, backend, connections: 1, queueLimit: 2 });
  const database = open(url);
  try {
    const keyspace = decodeURIComponent(new URL(url).pathname.slice(1));
    const shards = await watchShards(database, { backend, keyspace, hash: (key) => Bun.hash.xxHash64(key) });
    const reports = new Map<string, SweepReport>();
    for (const shard of shards.names()) {
      const primary = open(urlOfShard(url, shard));
      try {
        reports.set(shard, await readShard(shard, shards, database, primary));
      } finally {
        await primary.close();
      }
    }
    return reports;
  } finally {
    await database.close();
  }
}

async function readShard(shard: string, shards: Shards, database: Database, primary: Database): Promise<SweepReport> {
  const deadline = performance.now() + DEADLINE_MS;
  const store = new SqlStore(primary, { deadlineMs: DEADLINE_MS });
  const lease = new Lease(new SqlStore(database, { deadlineMs: DEADLINE_MS }), sweepLeaseKey(shard, shards), 0);
  const held = await lease.read();
  const [oldest] = await store.findExpired(1, null, deadline);
  return {
    ...((held && parseReport(held.note)) ?? emptyReport("")),
    oldestAgeMs: oldest?.ageMs ?? 0,
    backlogRows: await store.countExpired(COUNTED_ROWS, deadline),
  };
}
