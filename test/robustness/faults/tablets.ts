// What happens to the tablets of one shard.

import type { Fault, Rig, TabletStatus } from "../rig.ts";

/** vtorc looks once a second, and a primary that is gone is replaced in a few. Longer than this is no failover. */
const FAILOVER_MS = 15_000;
const PAUSED_MS = 20_000;
const OUTAGE_MS = 15_000;
/** For what goes on after the fault: calls that it held up, and those who believe to be the primary. */
const AFTERMATH_MS = 3_000;

const killing = (name: string, title: string, processes: (keyof TabletStatus["pids"])[]): Fault => ({
  name,
  title,
  scope: "shard",
  expect: { writesResumeWithinMs: FAILOVER_MS },
  run: async (rig, signal) => {
    const { alias, pids } = await rig.primaryOf(rig.shard);
    for (const process of processes) rig.kill(pids[process]);
    await rig.anotherPrimary(rig.shard, alias, FAILOVER_MS);
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const KILL_MYSQLD = killing("kill-mysqld", "kill -9 of a primary's mysqld", ["mysqld"]);
export const KILL_PRIMARY = killing("kill-primary", "kill -9 of a primary, mysqld and vttablet", [
  "mysqld",
  "vttablet",
]);

/** No failover comes, for the replicas go on replicating. So it is started again at once, as a process manager does. */
export const KILL_VTTABLET: Fault = {
  name: "kill-vttablet",
  title: "kill -9 of a primary's vttablet, and its start",
  scope: "shard",
  expect: { writesResumeWithinMs: FAILOVER_MS },
  run: async (rig, signal) => {
    const { pids } = await rig.primaryOf(rig.shard);
    rig.kill(pids.vttablet);
    await rig.cluster("up");
    await rig.pause(AFTERMATH_MS, signal);
  },
};

export const PAUSE_PRIMARY: Fault = {
  name: "pause-primary",
  title: "a primary that is stopped for 20 s, and goes on in the belief that it still is one",
  scope: "shard",
  expect: { writesResumeWithinMs: FAILOVER_MS },
  run: async (rig, signal) => {
    const { pids } = await rig.primaryOf(rig.shard);
    const send = (name: NodeJS.Signals) => {
      for (const pid of Object.values(pids)) rig.kill(pid, name);
    };
    send("SIGSTOP");
    try {
      await rig.pause(PAUSED_MS, signal);
    } finally {
      send("SIGCONT");
    }
    await rig.pause(AFTERMATH_MS, signal);
  },
};

const quorum = (name: string, title: string, choose: (rig: Rig) => Promise<TabletStatus[]>): Fault => ({
  name,
  title,
  scope: "shard",
  run: async (rig, signal) => {
    for (const { pids } of await choose(rig)) for (const pid of Object.values(pids)) rig.kill(pid);
    await rig.pause(OUTAGE_MS, signal);
  },
});

export const KILL_REPLICAS = quorum("kill-replicas", "kill -9 of both replicas of a primary", (rig) =>
  rig.replicasOf(rig.shard),
);

export const KILL_MAJORITY = quorum(
  "kill-majority",
  "kill -9 of a primary and one of its two replicas",
  async (rig) => {
    const replicas = await rig.replicasOf(rig.shard);
    return [await rig.primaryOf(rig.shard), ...replicas.slice(1)];
  },
);

export const REPARENT: Fault = {
  name: "reparent",
  title: "planned reparent",
  scope: "shard",
  expect: { noFailedCalls: true },
  run: async (rig, signal) => {
    await rig.cluster("reparent", rig.shard);
    await rig.pause(AFTERMATH_MS, signal);
  },
};
