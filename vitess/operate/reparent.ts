// `reparent SHARD`: makes another tablet the primary of a shard, without losing a write.

import { findParts } from "../install/parts.ts";
import { Cluster, exclusively } from "../run/folder.ts";
import { type ClusterStatus, isHealthy, isReady, readStatus, requireShard } from "../run/status.ts";
import { vtctl } from "../run/vtctl.ts";
import { ClusterProblem } from "../support/problem.ts";
import { step } from "../support/progress.ts";
import { until } from "../support/until.ts";
import { KEYSPACE } from "../topology/topology.ts";

/** How long replicas may take to catch up, before and after; calls to the shard wait meanwhile. */
const CATCH_UP_SECONDS = 5;
const SEEN_TIMEOUT_MS = 30_000;

/** Returns once the new primary serves. Each call moves on to another one. */
export async function reparent(dataDir: string, shard: string, signal: AbortSignal): Promise<ClusterStatus> {
  Cluster.load(dataDir);
  const parts = await findParts(signal);
  return await exclusively(dataDir, signal, async () => {
    const cluster = Cluster.load(dataDir);
    const client = vtctl(cluster, parts);
    const { shards, tablets } = await readStatus(cluster);
    requireShard(shards, shard);
    const ours = tablets.filter((tablet) => tablet.shard === shard && isHealthy(tablet));
    const primary = ours.find(({ role }) => role === "primary");
    if (!primary) throw new ClusterProblem(`Shard ${shard} has no primary that serves. See 'status'.`);
    if (ours.length < 2) throw new ClusterProblem(`Shard ${shard} has no healthy replica to take over. See 'status'.`);
    return await step(`another primary for shard ${shard} than ${primary.alias}`, async (report) => {
      // Vitess takes the replica that is furthest. Not to be interrupted: it is over in seconds, and undoes what fails.
      const choice = [`--avoid-primary=${primary.alias}`, `--wait-replicas-timeout=${CATCH_UP_SECONDS}s`];
      await client(["PlannedReparentShard", ...choice, `${KEYSPACE}/${shard}`]);
      let status = await readStatus(cluster);
      await until(SEEN_TIMEOUT_MS, signal, "vtgate does not see the new primary", async () => {
        report("until vtgate sees it");
        status = await readStatus(cluster);
        const now = status.tablets.find((tablet) => tablet.shard === shard && tablet.role === "primary");
        return now !== undefined && now.alias !== primary.alias && isReady(status, shard);
      });
      return status;
    });
  });
}
