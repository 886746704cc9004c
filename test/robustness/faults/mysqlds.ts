// The end of a primary's mysqld while no replica confirms what it commits. MySQL then does with these commits what nobody
// wants: at a start it makes all visible that its log holds, and at a shutdown it tells those who wait that they are done.

import { Cluster } from "../../../vitess/run/folder.ts";
import { restartAtOnce } from "../mysqld.ts";
import { cutImpossible } from "../network.ts";
import type { Fault, Rig } from "../rig.ts";
import { sidesOf, whileParted } from "../sides.ts";

/** For commits to wait; shorter than a failover takes to begin. */
const WAITING_MS = 1_500;
const FAILOVER_MS = 20_000;
const AFTERMATH_MS = 5_000;

const unconfirmed = (name: string, title: string, work: (rig: Rig, mysqld: string) => Promise<void> | void): Fault => ({
  name,
  title,
  scope: "shard",
  readers: true,
  expect: { writesResumeWithinMs: FAILOVER_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    const { primary, replicas } = await sidesOf(rig);
    await whileParted(rig, [[[primary.mysqld], replicas.mysqlds]], async () => {
      await rig.pause(WAITING_MS, signal);
      await work(rig, primary.mysqld);
      await rig.anotherElected(rig.shard, primary.alias, FAILOVER_MS);
      await rig.pause(AFTERMATH_MS, signal);
    });
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const RESTART_MYSQLD = unconfirmed(
  "restart-mysqld",
  "kill -9 of a primary's mysqld that is cut off from its replicas, and its start at once",
  (rig, mysqld) => restartAtOnce(Cluster.load(rig.dataDir), mysqld),
);

export const TERM_MYSQLD = unconfirmed(
  "term-mysqld",
  "SIGTERM to a primary's mysqld that is cut off from its replicas",
  (rig, mysqld) => rig.kill(Cluster.load(rig.dataDir).processes.pid(mysqld) ?? null, "SIGTERM"),
);
