// Stops a cluster's processes, those that serve first, those they depend on last.

import { step } from "../support/progress.ts";
import type { Process, Tablet } from "../topology/topology.ts";
import type { Cluster } from "./folder.ts";
import { STOP_TIMEOUT_MS, stopMysqld } from "./mysqlds.ts";

export async function stopAll(cluster: Cluster) {
  const { processes, topology } = cluster;
  const { vtgates, vtorc, vtctld, etcd } = topology;
  const stop = ({ name }: Process) => processes.stop(name, STOP_TIMEOUT_MS);
  await step("stop the cluster", async (report) => {
    report("vtgates and vtorc");
    // Without vtorc first, stopping a primary would start an election.
    await Promise.all([...vtgates, vtorc].map(stop));
    await stopTablets(cluster, cluster.allTablets, report);
    report("vtctld and etcd");
    await stop(vtctld);
    await stop(etcd);
  });
}

export async function stopTablets({ processes }: Cluster, tablets: Tablet[], report: (detail: string) => void) {
  report("tablets");
  await Promise.all(tablets.map(({ vttablet }) => processes.stop(vttablet.name, STOP_TIMEOUT_MS)));
  report("MySQL servers");
  await Promise.all(tablets.map((tablet) => stopMysqld(processes, tablet)));
}
