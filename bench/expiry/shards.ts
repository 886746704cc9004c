// Each shard's primary, past all servers: to sweep it in other ways, to look how much is left, to watch its replicas.

import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Database, type Rows } from "../../src/database/connect.ts";
import { ExpiredRows } from "../../src/database/expired.ts";
import { urlOfShard } from "../../src/database/url.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { again } from "../fill.ts";

const SAMPLE_MS = 1_000;
const QUERY_TIMEOUT_MS = 2_000;
const ALL_ROWS = 10_000_000;
/** Samples count no further: that would be the largest part of the load. */
const SAMPLED_ROWS = 10_000;

export interface ShardAccess {
  shard: string;
  database: Database;
  expired: ExpiredRows;
}

/** Runs `work` with a connection to each shard. */
export async function withShards<T>(
  { url, shards }: ClusterStatus,
  work: (access: ShardAccess[]) => Promise<T>,
): Promise<T> {
  const access = shards.map((shard) => {
    const target = urlOfShard(url, shard);
    const database = connect({ url: target, backend: "vitess", connections: 2, queueLimit: 10 });
    return { shard, database, expired: new ExpiredRows(database) };
  });
  try {
    return await work(access);
  } finally {
    await Promise.all(access.map(({ database }) => database.close()));
  }
}

/** Expired rows of all shards, of each counted up to `most`. */
export async function backlog(access: ShardAccess[], most = ALL_ROWS): Promise<number> {
  const counts = await Promise.all(access.map(({ expired }) => again((deadline) => expired.count(most, deadline))));
  return counts.reduce((sum, count) => sum + count, 0);
}

export interface Sample {
  atSeconds: number;
  /** Of the oldest expired row of any shard. */
  oldestAgeMs: number;
  /** Of each shard counted up to SAMPLED_ROWS. */
  backlogRows: number;
  /** Seconds that the furthest replica of any shard is behind. */
  lagSeconds: number;
}

/** Looks at all shards every second until `work` is done. */
export async function whileSampling<T>(
  cluster: ClusterStatus,
  access: ShardAccess[],
  work: () => Promise<T>,
): Promise<{ result: T; samples: Sample[] }> {
  const { url, vtgates } = cluster;
  const database = connect({ url, backend: "vitess", connections: 1, queueLimit: 10 });
  const samples: Sample[] = [];
  const end = new AbortController();
  const begun = performance.now();
  const sample = async () => {
    while (!end.signal.aborted) {
      const oldest = await Promise.all(
        access.map(({ expired }) => again((deadline) => expired.find(1, null, deadline))),
      );
      const lags: number[] = [];
      for (const { shard } of access) lags.push(await replicaLag(database, vtgates[0].database, shard));
      samples.push({
        atSeconds: (performance.now() - begun) / 1000,
        oldestAgeMs: Math.max(...oldest.map(([first]) => first?.ageMs ?? 0)),
        backlogRows: await backlog(access, SAMPLED_ROWS),
        lagSeconds: Math.max(...lags),
      });
      await sleep(SAMPLE_MS, undefined, { signal: end.signal }).catch(() => {});
    }
  };
  const sampling = sample();
  try {
    return { result: await work(), samples };
  } finally {
    end.abort();
    await sampling.finally(() => database.close());
  }
}

/** Seconds that the furthest of the shard's replicas is behind its primary; 0 where none replicates. */
async function replicaLag(database: Database, keyspace: string, shard: string): Promise<number> {
  const sql = "SHOW VITESS_REPLICATION_STATUS LIKE ?";
  const statement = { name: "replication", sql, params: [`${keyspace}/${shard}`], writes: false };
  const replicas = await database.execute<Rows>(statement, QUERY_TIMEOUT_MS);
  // The lag is no number while replication does not run.
  return Math.max(0, ...replicas.map((row) => Number(row.ReplicationLag)).filter(Number.isFinite));
}
