// A primary whose disk is full.

import { findParts } from "../../../vitess/install/parts.ts";
import { Cluster } from "../../../vitess/run/folder.ts";
import { stopTablets } from "../../../vitess/run/stop.ts";
import { vtctl } from "../../../vitess/run/vtctl.ts";
import { KEYSPACE } from "../../../vitess/topology/topology.ts";
import { Disk, diskImpossible } from "../disk.ts";
import type { Fault } from "../rig.ts";

/** Room for a replica to work in until it is the primary. */
const ROOM_MB = 400;
/** Filled by what is written, in moments. */
const LEFT_MB = 1;
const FULL_MS = 40_000;
const AFTERMATH_MS = 5_000;
/** It is the primary still, if mysqld has not given up. */
const FAILOVER_MS = 30_000;

export const FULL_DISK: Fault = {
  name: "full-disk",
  title: "a primary whose disk is full for 40 s",
  scope: "shard",
  impossible: (rig) => diskImpossible(rig.dataDir),
  run: async (rig, signal) => {
    const cluster = Cluster.load(rig.dataDir);
    const [{ alias } = { alias: "" }] = await rig.replicasOf(rig.shard);
    const tablet = cluster.topology.tablets.find((each) => each.alias === alias);
    if (!tablet) throw new Error(`${rig.shard} has no replica`);
    const disk = new Disk(tablet.dir);
    await stopTablets(cluster, [tablet], () => {});
    try {
      await disk.mount(ROOM_MB);
      await rig.cluster("up");
      const client = vtctl(cluster, await findParts());
      await client(["PlannedReparentShard", `--new-primary=${alias}`, `${KEYSPACE}/${rig.shard}`]);
      await disk.fill(LEFT_MB);
      await rig.pause(FULL_MS, signal);
      disk.free();
      await rig.pause(AFTERMATH_MS, signal);
    } finally {
      await stopTablets(cluster, [tablet], () => {});
      await disk.remove();
      await rig.anotherPrimary(rig.shard, alias, FAILOVER_MS);
      await rig.replace(alias, rig.shard);
    }
  },
};
