// Tablets whose data is gone, and shards whose primary was lost while nothing of them ran, as after a power failure from
// which its machine did not come back.

import { ClusterProblem } from "../support/problem.ts";
import type { TabletSettings } from "../topology/settings.ts";
import { KEYSPACE, type Tablet } from "../topology/topology.ts";
import { Cluster } from "./folder.ts";
import { isInitialized, mysqldRuns } from "./mysqlds.ts";
import type { Vtctl } from "./vtctl.ts";

/**
 * Without tablets whose data is gone. Started empty, one that was the primary when everything stopped would be the
 * primary again, and its shard empty.
 */
export function withoutLost(cluster: Cluster): Cluster {
  const { settings } = cluster;
  const lost = lostTablets(cluster);
  for (const { uid, shard } of lost) {
    console.error(`The data of tablet ${uid} is gone. Replace it: 'remove-tablet ${uid}', then 'add-tablet ${shard}'.`);
  }
  const isLost = ({ uid }: TabletSettings) => lost.some((tablet) => tablet.uid === uid);
  return cluster.with({ ...settings, tablets: settings.tablets.filter((tablet) => !isLost(tablet)) });
}

/** Those that have served, and whose data is gone. */
export function lostTablets({ settings, topology }: Cluster): Tablet[] {
  const served = settings.tablets.filter((tablet) => tablet.served).map(({ uid }) => uid);
  return topology.tablets.filter((tablet) => served.includes(tablet.uid) && !isInitialized(tablet));
}

/**
 * Deletes the records of primaries that do not run and are not among the started cluster's tablets.
 *
 * A vttablet that starts asks the primary of its shard's record where to begin, and ends when it has had no answer for a
 * minute, so nobody would be left to be elected. Without that record vtorc elects another one (its recovery from
 * PrimaryTabletDeleted), as soon as all others are there.
 *
 * Throws a ClusterProblem where another tablet of such a shard is missing, too: that one may have the only other copy of
 * an acknowledged write, and once the record is gone, an election would not wait for it.
 */
export async function forgetLostPrimaries(started: Cluster, client: Vtctl, signal?: AbortSignal) {
  const { topology, processes } = started;
  const whole = Cluster.load(started.dataDir);
  const lost = lostTablets(whole);
  const isStarted = ({ uid }: Tablet) => topology.tablets.some((tablet) => tablet.uid === uid);
  const runs = (tablet: Tablet) => mysqldRuns(processes, tablet) || processes.pid(tablet.vttablet.name) !== undefined;
  for (const shard of new Set(topology.tablets.map((tablet) => tablet.shard))) {
    const absent = whole.allTablets.filter((tablet) => tablet.shard === shard && !isStarted(tablet));
    const uid = absent.length > 0 ? await primaryOf(shard, client, signal) : undefined;
    const primary = absent.find((tablet) => tablet.uid === uid);
    if (!primary || runs(primary)) continue;
    // One that was never finished has acknowledged nothing.
    const missed = absent.filter((tablet) => tablet !== primary && (isInitialized(tablet) || lost.includes(tablet)));
    if (missed.length > 0) {
      throw new ClusterProblem(
        `Shard ${shard} has lost its primary, ${primary.alias}, and ${missed.map(({ alias }) => alias).join(", ")}. Writes that only they have would be lost. Bring back the folder of one of them, or restore a backup.`,
      );
    }
    await client(["DeleteTablets", "--allow-primary", primary.alias], signal);
  }
}

/** The uid of the tablet that the shard's record calls so. */
async function primaryOf(shard: string, client: Vtctl, signal?: AbortSignal): Promise<number | undefined> {
  const record = JSON.parse(await client(["GetShard", `${KEYSPACE}/${shard}`], signal));
  return record.shard?.primary_alias?.uid;
}
