// What happens to the processes that all shards share, and to the servers.

import type { Program } from "../../../vitess/topology/topology.ts";
import type { Fault } from "../rig.ts";

const OUTAGE_MS = 6_000;

export const KILL_VTGATE: Fault = {
  name: "kill-vtgate",
  title: "kill -9 of a vtgate",
  scope: "cluster",
  run: async (rig, signal) => {
    rig.kill(rig.pidsOf("vtgate")[0] ?? null);
    await rig.pause(OUTAGE_MS, signal);
  },
};

/** Calls go on without these: they have a part in changes only. */
const coordinating = (program: Program): Fault => ({
  name: `kill-${program}`,
  title: `kill -9 of ${program}, and its start`,
  scope: "cluster",
  expect: { noFailedCalls: true },
  run: async (rig, signal) => {
    for (const pid of rig.pidsOf(program)) rig.kill(pid);
    await rig.pause(OUTAGE_MS, signal);
  },
});

export const KILL_ETCD = coordinating("etcd");
export const KILL_VTORC = coordinating("vtorc");
export const KILL_VTCTLD = coordinating("vtctld");

export const KILL_SERVER: Fault = {
  name: "kill-server",
  title: "kill -9 of one of two servers, and its start",
  scope: "cluster",
  run: async (rig, signal) => {
    await rig.servers[0]?.end("SIGKILL");
    await rig.pause(OUTAGE_MS, signal);
    await rig.servers[0]?.start();
    await rig.pause(OUTAGE_MS, signal);
  },
};

export const STOP_SERVER: Fault = {
  name: "stop-server",
  title: "SIGTERM to one of two servers, and its start",
  scope: "cluster",
  expect: { noFailedCalls: true },
  run: async (rig, signal) => {
    for (let time = 0; time < 3; time++) {
      await rig.servers[0]?.end("SIGTERM");
      await rig.pause(OUTAGE_MS / 3, signal);
      await rig.servers[0]?.start();
      await rig.pause(OUTAGE_MS / 3, signal);
    }
  },
};

export const POWER_LOSS: Fault = {
  name: "power-loss",
  title: "kill -9 of everything at once, servers too, and their start",
  scope: "cluster",
  run: async (rig, signal) => {
    for (const { pid } of rig.servers) rig.kill(pid);
    for (const pid of rig.pidsOf()) rig.kill(pid);
    await rig.pause(OUTAGE_MS / 3, signal);
  },
};
