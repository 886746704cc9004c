// `add-tablet SHARD`: gives a shard that serves one more replica, with a copy of what another tablet holds.
//
// Until the new tablet has caught up, cluster.json names it as being added, and nothing counts on it. After Ctrl-C or a
// crash the same command goes on: with a new copy, unless that was whole.

import { findParts, type Parts } from "../install/parts.ts";
import { Cluster, changing, exclusively, requireNoResharding } from "../run/folder.ts";
import { withoutLost } from "../run/lost.ts";
import { dataMb, startMysqlds } from "../run/mysqlds.ts";
import { requireMemory, requireRoom } from "../run/room.ts";
import { startProcesses } from "../run/start.ts";
import { type ClusterStatus, isHealthy, readStatus, requireShard } from "../run/status.ts";
import { stopTablets } from "../run/stop.ts";
import { ClusterProblem } from "../support/problem.ts";
import { step } from "../support/progress.ts";
import { until } from "../support/until.ts";
import { withServed, withTablet } from "../topology/settings.ts";
import type { Tablet } from "../topology/topology.ts";
import { cloneFrom } from "./clone.ts";

/** How long the shard may take to have a primary, where it was just started. */
const PRIMARY_TIMEOUT_MS = 60_000;
/** With less lag it may count. */
const JOIN_LAG_SECONDS = 2;

/** Returns once the new tablet serves, and follows its primary. */
export async function addTablet(dataDir: string, shard: string, signal: AbortSignal): Promise<ClusterStatus> {
  process.umask(0o022);
  Cluster.load(dataDir);
  const parts = await findParts(signal);
  return await changing(dataDir, signal, async () => {
    const cluster = await exclusively(dataDir, signal, () => begin(Cluster.load(dataDir), shard, parts, signal));
    const added = cluster.topology.adding as Tablet;
    try {
      // Others may start and stop the cluster while it copies, which can take hours.
      await copy(cluster, added, parts, signal);
      return await exclusively(dataDir, signal, () => join(Cluster.load(dataDir), added, parts, signal));
    } catch (error) {
      await stopTablets(cluster, [added], () => {});
      throw error;
    }
  });
}

/** The cluster with the tablet that is to be added, written down. */
async function begin(cluster: Cluster, shard: string, parts: Parts, signal: AbortSignal): Promise<Cluster> {
  const { settings, topology } = cluster;
  const { adding } = settings;
  requireShard(topology.shards, shard);
  requireNoResharding(cluster);
  if (adding && adding.shard !== shard) {
    throw new ClusterProblem(
      `A tablet is being added to shard ${adding.shard}. Let that finish with 'add-tablet ${adding.shard}', or give it up with 'remove-tablet ${adding.uid}'.`,
    );
  }
  const wanted = adding ? cluster : cluster.with(withTablet(settings, shard));
  if (!adding) {
    requireRoom(withAdded(wanted), dataMb(cluster, shard));
    requireMemory(1);
  }
  await startProcesses(cluster, parts, signal, async () => {});
  wanted.save();
  return wanted;
}

/** The cluster as it is when the tablet has been added. */
function withAdded(cluster: Cluster): Cluster {
  const { adding, ...settings } = cluster.settings;
  if (!adding) return cluster;
  const { tablets } = settings;
  const last = tablets.findLastIndex(({ shard }) => shard === adding.shard);
  return cluster.with({ ...settings, tablets: tablets.toSpliced(last + 1, 0, adding) });
}

/** Makes the new tablet's MySQL server, with what a replica of its shard holds. */
async function copy(cluster: Cluster, added: Tablet, parts: Parts, signal: AbortSignal) {
  const { primary, donor } = await chooseDonor(cluster, added.shard, signal);
  await startMysqlds(withoutLost(withAdded(cluster)), parts, [], signal, (recipient, start, signal) => {
    // Another one that is empty is not this shard's, or not this command's.
    if (recipient.uid !== added.uid) throw new ClusterProblem(`Tablet ${recipient.uid} holds no data. See 'status'.`);
    return step(`copy ${donor.alias} to ${recipient.alias}`, (report) =>
      cloneFrom({ primary, donor, recipient }, cluster.processes, start, signal, report),
    );
  });
}

/** A replica rather than the primary, which has enough to do. */
async function chooseDonor(cluster: Cluster, shard: string, signal: AbortSignal) {
  let status = await readStatus(cluster);
  const ours = () => status.tablets.filter((tablet) => tablet.shard === shard && isHealthy(tablet));
  await until(PRIMARY_TIMEOUT_MS, signal, `Shard ${shard} has no primary that serves`, async () => {
    status = await readStatus(cluster);
    return ours().some(({ role }) => role === "primary");
  });
  const find = (role: string) => {
    const alias = ours().find((tablet) => tablet.role === role)?.alias;
    return cluster.topology.tablets.find((tablet) => tablet.alias === alias);
  };
  const primary = find("primary") as Tablet;
  return { primary, donor: find("replica") ?? primary };
}

/** Lets the tablet follow its primary, and counts on it once it has caught up. */
async function join(cluster: Cluster, { alias }: Tablet, parts: Parts, signal: AbortSignal): Promise<ClusterStatus> {
  const larger = withAdded(cluster);
  const caughtUp = () =>
    step(`${alias} catches up`, async (report) => {
      let status = await readStatus(larger);
      await until(Number.POSITIVE_INFINITY, signal, "", async () => {
        status = await readStatus(larger);
        const tablet = status.tablets.find((each) => each.alias === alias);
        if (tablet?.diverged || tablet?.pids.mysqld === null || tablet?.pids.vttablet === null) {
          throw new ClusterProblem(`${alias} ended, or can't replicate. See its logs, and run 'add-tablet' again.`);
        }
        report(tablet?.lagSeconds == null ? "waiting for it to replicate" : `${tablet.lagSeconds} s behind`);
        return tablet !== undefined && isHealthy(tablet) && (tablet.lagSeconds ?? 0) <= JOIN_LAG_SECONDS;
      });
      return status;
    });
  const status = await startProcesses(larger, parts, signal, caughtUp);
  larger.with(withServed(larger.settings)).save();
  return status;
}
