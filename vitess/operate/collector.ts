// Vitess's collector of dropped tables. What a schema change leaves behind is renamed, and dropped within half a minute: a
// command that lists all tables and then reads each fails when one of them goes in between.

import { setTimeout as sleep } from "node:timers/promises";
import type { RowDataPacket } from "mysql2/promise";
import type { Cluster } from "../run/folder.ts";
import { connected } from "../run/mysqlds.ts";
import { readStatus } from "../run/status.ts";
import { KEYSPACE } from "../topology/topology.ts";

const POLL_MS = 500;
/** It looks a second after a schema change was cleaned up, and 15 seconds later again; both may be needed. */
const PATIENCE_MS = 60_000;
const NAME = /\b_vt_(hld|prg|evc|drp)_\w+/;

/** Whether it failed for a table that was dropped between its being listed and its being read: that passes. */
export function isCollected(message: string): boolean {
  return NAME.test(message);
}

/** Waits until the primaries of the shards hold nothing for it any more, but not for ever: it may be told to keep tables. */
export async function untilCollected(cluster: Cluster, shards: string[], signal: AbortSignal) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && (await isLeft(cluster, shards))) await sleep(POLL_MS, undefined, { signal });
}

async function isLeft(cluster: Cluster, shards: string[]): Promise<boolean> {
  const { tablets } = await readStatus(cluster);
  const primaries = tablets.filter(({ shard, role }) => role === "primary" && shards.includes(shard));
  const left = await Promise.all(
    primaries.map(({ mysqlSocket }) =>
      connected({ mysqlSocket }, async (connection) => {
        const [tables] = await connection.query<RowDataPacket[]>(`SHOW TABLES FROM vt_${KEYSPACE} LIKE '\\_vt\\_%'`);
        return tables.some((row) => isCollected(String(Object.values(row)[0])));
        // One that can't be asked will not be copied from either.
      }).catch(() => false),
    ),
  );
  return left.includes(true);
}
