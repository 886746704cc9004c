// `remove-tablet TABLET`: deletes a replica, such as one whose machine is lost.

import { findParts, type Parts } from "../install/parts.ts";
import { Cluster, changing, exclusively, requireNoResharding } from "../run/folder.ts";
import { startProcesses } from "../run/start.ts";
import { type ClusterStatus, isHealthy, readStatus } from "../run/status.ts";
import { ClusterProblem } from "../support/problem.ts";
import type { Settings } from "../topology/settings.ts";
import type { Tablet } from "../topology/topology.ts";
import { removeRetired } from "./retire.ts";

/** With fewer, a shard that loses another one stops taking writes: each has to be on two disks. */
const SAFE_TABLETS = 3;
/** With fewer it stops at once. */
const LEAST_TABLETS = 2;

/**
 * Removes the tablet with this alias or uid, by default the one that does not run; may be repeated after an
 * interruption. With `force` a shard may be left with tablets too few to lose another one.
 */
export async function removeTablet(
  dataDir: string,
  name: string | undefined,
  force: boolean,
  signal: AbortSignal,
): Promise<ClusterStatus> {
  process.umask(0o022);
  Cluster.load(dataDir);
  const parts = await findParts(signal);
  return await changing(dataDir, signal, () =>
    exclusively(dataDir, signal, async () => {
      await retire(Cluster.load(dataDir), name, force, parts, signal);
      await removeRetired(Cluster.load(dataDir), parts, signal);
      return await readStatus(Cluster.load(dataDir));
    }),
  );
}

/** Writes down that the tablet is to be deleted, if it may be. */
async function retire(cluster: Cluster, name: string | undefined, force: boolean, parts: Parts, signal: AbortSignal) {
  const { settings, topology } = cluster;
  requireNoResharding(cluster);
  const tablet = name === undefined ? await theOneThatIsDown(cluster) : named(cluster, name);
  const rest = without(settings, tablet);
  // What deletes it needs the servers; whatever is wrong with the tablet itself stays so.
  await startProcesses(cluster.with(rest), parts, signal, async () => {});
  if (topology.retired.includes(tablet)) return;
  if (topology.adding !== tablet) await requireDispensable(cluster, tablet, force);
  const { uid, shard } = tablet;
  cluster.with({ ...rest, retired: [...(settings.retired ?? []), { uid, shard }] }).save();
}

function named(cluster: Cluster, name: string): Tablet {
  const found = cluster.allTablets.find(({ alias, uid }) => name === alias || name === String(uid));
  if (found) return found;
  const aliases = cluster.allTablets.map(({ alias }) => alias);
  throw new ClusterProblem(`There is no tablet '${name}'. The tablets are ${aliases.join(", ")}.`);
}

async function theOneThatIsDown(cluster: Cluster): Promise<Tablet> {
  const [retired] = cluster.topology.retired;
  if (retired) return retired;
  const down = (await readStatus(cluster)).tablets.filter(
    (tablet) => !isHealthy(tablet) && (tablet.pids.mysqld === null || tablet.pids.vttablet === null),
  );
  if (down[0] && down.length === 1) return named(cluster, down[0].alias);
  const reason = down.length === 0 ? "No tablet is down" : `${down.length} tablets are down`;
  throw new ClusterProblem(`${reason}. Say which one to remove, by its alias or number, as 'status' shows it.`);
}

function without(settings: Settings, { uid }: Tablet): Settings {
  const { adding, tablets, ...others } = settings;
  return {
    ...others,
    ...(adding && adding.uid !== uid ? { adding } : {}),
    tablets: tablets.filter((tablet) => tablet.uid !== uid),
  };
}

/** Fails unless the shard does without the tablet. */
async function requireDispensable(cluster: Cluster, { alias, shard }: Tablet, force: boolean) {
  const { tablets } = await readStatus(cluster);
  const healthy = tablets.filter((tablet) => tablet.shard === shard && isHealthy(tablet));
  const left = healthy.filter((tablet) => tablet.alias !== alias);
  // vtgate goes on to list a dead one as a primary, beside the one that was elected in its place.
  if (!left.some(({ role }) => role === "primary")) {
    const isPrimary = healthy.some((tablet) => tablet.alias === alias && tablet.role === "primary");
    throw new ClusterProblem(
      isPrimary
        ? `${alias} is the primary of shard ${shard}. Make it another one first: 'reparent ${shard}'.`
        : `Shard ${shard} has no primary that serves. See 'status'.`,
    );
  }
  // One that does not work is no loss.
  if (left.length === healthy.length) return;
  const least = force ? LEAST_TABLETS : SAFE_TABLETS;
  if (left.length >= least) return;
  const consequence =
    left.length < LEAST_TABLETS ? "it could not take writes" : "with one more lost it could not take writes";
  const way = force || left.length < LEAST_TABLETS ? "" : ", or use --force";
  throw new ClusterProblem(
    `Shard ${shard} would have ${left.length} healthy tablet${left.length === 1 ? "" : "s"} left, and ${consequence}. Give it another one first with 'add-tablet ${shard}'${way}.`,
  );
}
