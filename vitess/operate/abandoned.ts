// The lock that a switch of traffic holds in etcd. A vtctld that is killed in the middle of one leaves it behind, for a
// day, in which the switch could neither be finished nor undone, while neither the old shards nor the new ones serve.

import { setTimeout as sleep } from "node:timers/promises";
import type { Parts } from "../install/parts.ts";
import type { Cluster } from "../run/folder.ts";
import { STOP_TIMEOUT_MS } from "../run/mysqlds.ts";
import { startProcesses } from "../run/start.ts";
import { ClusterProblem } from "../support/problem.ts";
import { GLOBAL_ROOT, KEYSPACE, LOOPBACK } from "../topology/topology.ts";
import "../support/no-proxy.ts";

/** A switch that is under way, begun by a command that was killed, is over sooner. */
const PATIENCE_MS = 15_000;
const ETCD_TIMEOUT_MS = 5_000;

/** Waits for the end of the workflow's lock, if it is held; after a while ends its holder, and then the lock. */
export async function clearWorkflowLock(cluster: Cluster, parts: Parts, workflow: string) {
  const prefix = `${GLOBAL_ROOT}/internal/named_locks/${KEYSPACE}/${workflow}/locks/`;
  const isHeld = async () => Number((await etcd(cluster, "range", prefix)).count ?? 0) > 0;
  const deadline = Date.now() + PATIENCE_MS;
  while (await isHeld()) {
    if (Date.now() > deadline) {
      // Only a vtctld takes it, and there is one: without it nobody holds the lock.
      await cluster.processes.stop(cluster.topology.vtctld.name, STOP_TIMEOUT_MS);
      await etcd(cluster, "deleterange", prefix);
      await startProcesses(cluster, parts, undefined, async () => {});
      return;
    }
    await sleep(500);
  }
}

/** Calls etcd's HTTP gateway about all keys that begin so. */
async function etcd({ topology }: Cluster, call: string, prefix: string): Promise<{ count?: string }> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  // The first key after those: its last character, a slash, becomes the next one.
  const range = { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) };
  const answer = await fetch(`http://${LOOPBACK}:${topology.etcd.ports.http}/v3/kv/${call}`, {
    method: "POST",
    body: JSON.stringify(range),
    signal: AbortSignal.timeout(ETCD_TIMEOUT_MS),
  });
  if (!answer.ok) throw new ClusterProblem(`etcd answered ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { count?: string };
}
