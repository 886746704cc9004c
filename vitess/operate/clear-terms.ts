// Tells servers that they need not wait before they believe a shard that is about to serve for the first time: the switch
// stops the primaries of the shards before it first. See src/terms/terms.ts.

import { readConfig } from "../../src/config.ts";
import type { Database } from "../../src/database/connect.ts";
import { shardsNamed } from "../../src/database/shards.ts";
import { selectTermFacts } from "../../src/database/terms.ts";
import { writeMark } from "../../src/terms/change.ts";
import { LeaseKeys, primaryOf } from "../../src/terms/primary.ts";
import type { Cluster } from "../run/folder.ts";
import { connected } from "../run/mysqlds.ts";
import { readStatus, type TabletStatus } from "../run/status.ts";
import { KEYSPACE } from "../topology/topology.ts";

/** Leaves a mark in each of these shards, which together are the whole keyspace; where it can't, servers wait. */
export async function clearTerms(cluster: Cluster, shards: string[]) {
  const before = keysOf(cluster.topology.shards);
  const marks = cluster.topology.shards.map((shard) => before.markAt(shard).toString());
  const keys = keysOf(shards);
  const { tablets } = await readStatus(cluster);
  const primaries = tablets.filter(({ role, shard }) => role === "primary" && shards.includes(shard));
  await Promise.all(primaries.map((primary) => clearTerm(primary, keys, marks).catch(() => {})));
}

function clearTerm({ shard, mysqlSocket }: TabletStatus, keys: LeaseKeys, marks: string[]) {
  return connected({ mysqlSocket }, async (connection) => {
    await connection.query(`USE vt_${KEYSPACE}`);
    const database: Database = {
      execute: async <T>({ sql, params }: { sql: string; params: unknown[] }) =>
        (await connection.query(sql, params))[0] as T,
      close: async () => {},
    };
    const primary = primaryOf({ shard, keys, database, selectFacts: selectTermFacts, beat: "" });
    const facts = await primary.facts();
    // A shard of before has its own mark there, and may be about to make it: the copy would meet a row that it must make.
    if (facts.markRevision === null && marks.includes(keys.markAt(shard).toString())) return;
    await primary.mark(facts, writeMark(facts, readConfig({}).KV_READ_LEASE_MS));
  });
}

function keysOf(shards: string[]): LeaseKeys {
  return new LeaseKeys(shardsNamed(shards, (key) => Bun.hash.xxHash64(key)));
}
