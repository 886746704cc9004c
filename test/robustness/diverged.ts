// A tablet with transactions that no primary has: it committed them, as the primary that it was, and no replica had
// confirmed them. Vitess neither lets it replicate nor starts its vttablet ("Errant GTID detected"); its next primary
// would wait for it in vain. Nobody was told that these writes happened, so the tablet is made anew from the primary.

import { rmSync } from "node:fs";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { Cluster } from "../../vitess/folder.ts";
import { stopMysqld } from "../../vitess/mysqlds.ts";
import type { Tablet } from "../../vitess/topology.ts";
import type { Rig, TabletStatus } from "./rig.ts";

const STOP_MS = 20_000;

/** Makes those of the shard anew, from what the primary's binary log has kept: all, in a cluster so young. */
export async function rebuildDiverged(rig: Rig, shard: string) {
  const { alias } = await onlyPrimary(rig, shard);
  const { topology } = Cluster.load(rig.dataDir);
  const tablets = topology.tablets.filter((tablet) => tablet.shard === shard);
  const primary = tablets.find((tablet) => tablet.alias === alias);
  if (!primary) throw new Error(`there is no tablet ${alias}`);
  const replicas = tablets.filter((tablet) => tablet !== primary);
  const diverged = await Promise.all(replicas.map((tablet) => hasMore(tablet, primary)));
  const unfit = replicas.filter((_, i) => diverged[i]);
  // The primary and one more hold what was acknowledged: else this is not what it seems.
  if (unfit.length >= replicas.length) throw new Error(`no replica of ${shard} has what its primary has`);
  if (unfit.length > 0) await rebuild(rig, unfit);
}

/** Waits for the old primary to learn that there is another: until then it must not be taken for the measure. */
async function onlyPrimary(rig: Rig, shard: string): Promise<TabletStatus> {
  let primaries: TabletStatus[] = [];
  await rig.until(async () => {
    const { tablets } = await rig.status();
    primaries = tablets.filter((tablet) => tablet.shard === shard && tablet.role === "primary");
    return primaries.length === 1 && primaries[0]?.serving === true;
  }, `one primary of ${shard}`);
  return primaries[0] as TabletStatus;
}

/** Makes tablets anew; `meanwhile` is done when nothing is left of them. */
export async function rebuild(rig: Rig, tablets: Tablet[], meanwhile?: () => Promise<void>) {
  const cluster = Cluster.load(rig.dataDir);
  for (const tablet of tablets) await stopTablet(cluster, tablet);
  await meanwhile?.();
  for (const { dir } of tablets) rmSync(dir, { recursive: true, force: true });
  // One that has served is not started without its data: these count as new.
  const isGone = (uid: number) => tablets.some((tablet) => tablet.uid === uid);
  const { settings } = cluster;
  const fresh = settings.tablets.map(({ served, ...tablet }) =>
    isGone(tablet.uid) || !served ? tablet : { ...tablet, served },
  );
  cluster.with({ ...settings, tablets: fresh }).save();
  await rig.cluster("up");
}

export async function stopTablet({ processes }: Cluster, tablet: Tablet) {
  await processes.stop(tablet.vttablet.name, STOP_MS);
  await stopMysqld(processes, tablet);
}

/** Whether it has executed what the primary has not; asked in this order, the primary is never behind by time alone. */
async function hasMore(tablet: Tablet, primary: Tablet): Promise<boolean> {
  const executed = await ask(tablet, "SELECT @@GLOBAL.gtid_executed AS answer", []);
  return (
    executed !== undefined &&
    (await ask(primary, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS answer", [executed])) === 0
  );
}

/** Undefined where it does not run. */
async function ask(tablet: Tablet, sql: string, values: unknown[]): Promise<unknown> {
  const connection = await createConnection({ socketPath: tablet.mysqlSocket, user: "vt_dba" }).catch(() => undefined);
  try {
    const [rows] = (await connection?.query<RowDataPacket[]>(sql, values)) ?? [[]];
    return rows[0]?.answer;
  } finally {
    connection?.destroy();
  }
}
