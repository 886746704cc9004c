// Deletes tablets that no shard counts on any more.

import { rmSync } from "node:fs";
import type { Parts } from "../install/parts.ts";
import type { Cluster } from "../run/folder.ts";
import { fitMemory } from "../run/mysqlds.ts";
import { knownTablets } from "../run/status.ts";
import { stopTablets } from "../run/stop.ts";
import { type Vtctl, vtctl } from "../run/vtctl.ts";
import { step } from "../support/progress.ts";
import { until } from "../support/until.ts";
import { KEYSPACE, type Tablet } from "../topology/topology.ts";

/** vtgate looks for tablets that are gone every five seconds. */
const FORGET_TIMEOUT_MS = 30_000;

/** Deletes retired tablets, in records, processes and folders, and gives others their memory; may be repeated. */
export async function removeRetired(cluster: Cluster, parts: Parts, signal: AbortSignal) {
  const { retired: _, ...settings } = cluster.settings;
  const { retired } = cluster.topology;
  if (retired.length === 0) return;
  const smaller = cluster.with(settings);
  const stays = ({ shard }: Tablet) => settings.tablets.some((tablet) => tablet.shard === shard);
  await step(`delete ${retired.length === 1 ? "1 tablet" : `${retired.length} tablets`}`, async (report) => {
    const client = vtctl(cluster, parts);
    // With their records gone first they would make new ones.
    await stopTablets(cluster, retired.filter(stays), report);
    report("records");
    await deleteTablets(client, retired.filter(stays), signal);
    // Here records come first: else vtorc would see primaries die, and vtgate hold on to connections.
    await deleteShards(client, new Set(retired.filter((tablet) => !stays(tablet)).map(({ shard }) => shard)), signal);
    await until(FORGET_TIMEOUT_MS, signal, "vtgate still knows deleted tablets", async () => {
      const known = await knownTablets(smaller);
      return retired.every(({ alias }) => !known.includes(alias));
    });
    await stopTablets(cluster, retired, report);
    report("folders");
    for (const { dir } of retired) rmSync(dir, { recursive: true, force: true });
    await fitMemory(smaller);
    smaller.save();
  });
}

async function deleteTablets(client: Vtctl, tablets: Tablet[], signal: AbortSignal) {
  const records: { alias: { uid: number } }[] = JSON.parse(
    await client(["GetTablets", `--keyspace=${KEYSPACE}`, "--format=json"], signal),
  );
  const left = tablets.filter(({ uid }) => records.some(({ alias }) => alias.uid === uid));
  if (left.length > 0) await client(["DeleteTablets", ...left.map(({ alias }) => alias)], signal);
}

async function deleteShards(client: Vtctl, shards: Set<string>, signal: AbortSignal) {
  if (shards.size === 0) return;
  const names = [...shards].map((shard) => `${KEYSPACE}/${shard}`);
  // "Force" only means that records which are gone already, from an interrupted attempt, need no lock.
  await client(["DeleteShards", "--recursive", "--force", ...names], signal);
}
