// A primary whose wall clock steps. What it decides by that clock are TTLs, which are left out here; all else must not depend
// on it.

import { join } from "node:path";
import { findParts } from "../../../vitess/install/parts.ts";
import { Cluster } from "../../../vitess/run/folder.ts";
import { stopTablets } from "../../../vitess/run/stop.ts";
import { vtctl } from "../../../vitess/run/vtctl.ts";
import { KEYSPACE } from "../../../vitess/topology/topology.ts";
import { Clock, clockImpossible } from "../clock.ts";
import { restartBehind } from "../mysqld.ts";
import type { Fault } from "../rig.ts";

const STEP_SECONDS = 5;
/** For calls under the clock as it is. */
const PAUSE_MS = 3_000;
const FAILOVER_MS = 15_000;

export const CLOCK_STEPS: Fault = {
  name: "clock-steps",
  title: "planned reparents to and from a tablet whose clock steps by seconds, forth and back",
  scope: "shard",
  withoutTtls: true,
  impossible: (rig) => clockImpossible(rig.dataDir),
  run: async (rig, signal) => {
    const cluster = Cluster.load(rig.dataDir);
    const [{ alias } = { alias: "" }] = await rig.replicasOf(rig.shard);
    const tablet = cluster.topology.tablets.find((each) => each.alias === alias);
    if (!tablet) throw new Error(`${rig.shard} has no replica`);
    const clock = await Clock.make(join(rig.dataDir, "clock"));
    const client = vtctl(cluster, await findParts());
    try {
      await restartBehind(cluster, tablet, clock.before);
      await rig.mend();
      for (const ahead of [STEP_SECONDS, -STEP_SECONDS]) {
        await client(["PlannedReparentShard", `--new-primary=${alias}`, `${KEYSPACE}/${rig.shard}`]);
        await rig.pause(PAUSE_MS, signal);
        clock.step(ahead);
        await rig.pause(PAUSE_MS, signal);
        await rig.cluster("reparent", rig.shard);
        await rig.pause(PAUSE_MS, signal);
      }
    } finally {
      // It is started again with the machine's clock.
      await stopTablets(cluster, [tablet], () => {});
      await rig.anotherPrimary(rig.shard, alias, FAILOVER_MS);
    }
  },
};
