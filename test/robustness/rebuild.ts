// Makes a tablet anew, from what the primary's binary log has kept: all, in a cluster so young.

import { rmSync } from "node:fs";
import { Cluster } from "../../vitess/folder.ts";
import { stopMysqld } from "../../vitess/mysqlds.ts";
import type { Tablet } from "../../vitess/topology.ts";
import type { Rig } from "./rig.ts";

const STOP_MS = 20_000;

/** `meanwhile` is done when it has stopped. */
export async function rebuild(rig: Rig, tablet: Tablet, meanwhile: () => Promise<void>) {
  const cluster = Cluster.load(rig.dataDir);
  await stopTablet(cluster, tablet);
  await meanwhile();
  rmSync(tablet.dir, { recursive: true, force: true });
  // One that has served is not started without its data: this one counts as new.
  const { settings } = cluster;
  const fresh = settings.tablets.map(({ served, ...each }) =>
    each.uid === tablet.uid || !served ? each : { ...each, served },
  );
  cluster.with({ ...settings, tablets: fresh }).save();
  await rig.cluster("up");
}

export async function stopTablet({ processes }: Cluster, tablet: Tablet) {
  await processes.stop(tablet.vttablet.name, STOP_MS);
  await stopMysqld(processes, tablet);
}
