// sysbench straight at vtgate, on the entries that the store has filled in: what a statement for each call gives.

import { clusterGroups } from "../cpu.ts";
import { sqlLoad } from "../generators.ts";
import { findSysbench } from "../parts.ts";
import { versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, type Operation, type System } from "../system.ts";

export async function startSysbench(rig: Rig, name: string, threads: number): Promise<System> {
  const cluster = await rig.cluster();
  const load = (operation: Operation) => (seconds: number) =>
    sqlLoad({ threads, seconds, operation, keys: KEYS }, cluster, rig.signal);
  return {
    name,
    connections: threads,
    processes: clusterGroups(cluster),
    answerBytes: 0, // Its script looks itself.
    versions: { sysbench: versionOf(await findSysbench(rig.signal), /sysbench (\S+)/) },
    get: load("get"),
    put: load("put"),
  };
}
