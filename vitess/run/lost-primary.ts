// A shard whose primary was lost while nothing of the shard ran, as after a power failure from which its machine did not
// come back.
//
// Vitess's records call that tablet the primary. A vttablet that starts asks the primary where to begin, and ends when it
// has had no answer for a minute, so nobody is left to be elected. Without the tablet's record vtorc elects another one
// (its recovery from PrimaryTabletDeleted), as soon as all others are there.

import { ClusterProblem } from "../support/problem.ts";
import { KEYSPACE, type Tablet } from "../topology/topology.ts";
import { Cluster } from "./folder.ts";
import { isInitialized, mysqldRuns } from "./mysqlds.ts";
import type { Vtctl } from "./vtctl.ts";

/**
 * Deletes the records of primaries that do not run and are not among the started cluster's tablets. Throws a ClusterProblem
 * where another tablet of such a shard is missing, too: that one may have the only other copy of an acknowledged write, and
 * once the record is gone, an election would not wait for it.
 */
export async function forgetLostPrimaries(started: Cluster, client: Vtctl, signal?: AbortSignal) {
  const { topology, processes } = started;
  const whole = Cluster.load(started.dataDir);
  const isStarted = ({ uid }: Tablet) => topology.tablets.some((tablet) => tablet.uid === uid);
  const isServedBy = (shard: string) => topology.tablets.some((tablet) => tablet.shard === shard);
  const absent = whole.allTablets.filter((tablet) => isServedBy(tablet.shard) && !isStarted(tablet));
  const runs = (tablet: Tablet) => mysqldRuns(processes, tablet) || processes.pid(tablet.vttablet.name) !== undefined;
  // One that was never finished has acknowledged nothing.
  const isMissed = (tablet: Tablet) =>
    isInitialized(tablet) || whole.settings.tablets.some(({ uid, served }) => uid === tablet.uid && served);
  for (const shard of new Set(absent.map((tablet) => tablet.shard))) {
    const uid = await primaryOf(shard, client, signal);
    const primary = absent.find((tablet) => tablet.uid === uid);
    if (!primary || runs(primary)) continue;
    const missed = absent.filter((tablet) => tablet.shard === shard && tablet !== primary && isMissed(tablet));
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
