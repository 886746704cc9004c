// A vtgate that learns late of a failover, or wakes up after one, while the old primary still answers it.

import { Cluster } from "../../../vitess/run/folder.ts";
import { cutImpossible } from "../network.ts";
import type { Fault } from "../rig.ts";
import { sidesOf, whileParted } from "../sides.ts";

const FAILOVER_MS = 15_000;
/** For servers to ask both primaries for the same keys. */
const BOTH_MS = 10_000;
/** For the old primary to answer still, once the vtgate knows better. */
const KNOWN_MS = 5_000;
/** For those that go on to answer before they hear of another primary. */
const LATE_MS = 5_000;
const AFTERMATH_MS = 5_000;

/** What the replicas tell of themselves arrives late: it is sent again and again, by TCP, until it gets through. */
export const LATE_HEALTH: Fault = {
  name: "late-health",
  title: "a primary cut off from everything but the vtgates, one of which hears of the next one seconds later",
  scope: "shard",
  zoned: true,
  readers: true,
  expect: { writesResumeWithinMs: FAILOVER_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    const { primary, replicas, near, control } = await sidesOf(rig);
    const others = [...replicas.mysqlds, ...replicas.vttablets, ...control];
    await whileParted(rig, [[[primary.mysqld, primary.vttablet], others]], async () => {
      await whileParted(rig, [[near.vtgates, replicas.vttablets]], async () => {
        await rig.anotherElected(rig.shard, primary.alias, FAILOVER_MS);
        await rig.pause(BOTH_MS, signal);
      });
      await rig.pause(KNOWN_MS, signal);
    });
    await rig.pause(AFTERMATH_MS, signal);
  },
};

export const PAUSE_VTGATE: Fault = {
  name: "pause-vtgate",
  title: "a vtgate and a primary stopped until there is another one, of which they hear seconds after they go on",
  scope: "shard",
  zoned: true,
  readers: true,
  expect: { writesResumeWithinMs: FAILOVER_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    const { primary, replicas, near, control } = await sidesOf(rig);
    const { processes } = Cluster.load(rig.dataDir);
    const paused = [primary.mysqld, primary.vttablet, ...near.vtgates];
    const pids = paused.map((name) => processes.pid(name) ?? null);
    const send = (name: NodeJS.Signals) => {
      for (const pid of pids) rig.kill(pid, name);
    };
    const others = [...replicas.mysqlds, ...replicas.vttablets, ...control];
    // Already while they are stopped: what had got to them they would read at once when they go on.
    await whileParted(rig, [[paused, others]], async () => {
      send("SIGSTOP");
      try {
        await rig.anotherElected(rig.shard, primary.alias, FAILOVER_MS);
        await rig.pause(KNOWN_MS, signal);
      } finally {
        send("SIGCONT");
      }
      await rig.pause(LATE_MS, signal);
    });
    await rig.pause(AFTERMATH_MS, signal);
  },
};
