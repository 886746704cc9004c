// A cluster on this machine: starts, inspects, stops and deletes it.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findParts } from "../install/parts.ts";
import { ClusterProblem } from "../support/problem.ts";
import { makeDataDir } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import { withServed } from "../topology/settings.ts";
import { adviceOn } from "./diverged.ts";
import { Cluster, type ClusterOptions, exclusively } from "./folder.ts";
import { lostTablets } from "./lost.ts";
import { requireRoom } from "./room.ts";
import { START_TIMEOUT_MS, startProcesses } from "./start.ts";
import { type ClusterStatus, isHealthy, isServing, isWhole, readStatus } from "./status.ts";
import { stopAll } from "./stop.ts";

/** How long a start waits for tablets that their shard can do without. */
const STRAGGLER_TIMEOUT_MS = 40_000;

/** The default data folder; root's own home is closed to the user that the servers run as. */
export function defaultDataDir(environment = process.env, isRoot = process.getuid?.() === 0): string {
  const { XDG_DATA_HOME, HOME } = environment;
  return isRoot ? "/var/lib/vitess-kv" : join(XDG_DATA_HOME || join(HOME || "/tmp", ".local/share"), "vitess-kv");
}

/**
 * Starts what is not running yet and waits until every shard serves; on failure or abort stops what it started.
 * `started` is false when the cluster was up already, even if a part of it was not.
 */
export async function up(
  options: ClusterOptions,
  signal?: AbortSignal,
): Promise<{ status: ClusterStatus; started: boolean }> {
  const { dataDir } = options;
  // Whatever the invoking user's mask, the servers' user must be able to read what is made here.
  process.umask(0o022);
  requireRoom(Cluster.open(options));
  const parts = await findParts(signal);
  makeDataDir(dataDir);
  return await exclusively(dataDir, signal, async () => {
    const cluster = Cluster.open(options);
    cluster.save();
    const { etcd, vtgates } = cluster.topology;
    const started = [etcd, ...vtgates].every(({ name }) => cluster.processes.pid(name) === undefined);
    const ready = () => step("every tablet serves", (report) => untilServing(cluster, report, signal));
    const status = await startProcesses(cluster, parts, signal, ready);
    const diverged = status.tablets.filter((tablet) => tablet.diverged).map(({ alias }) => alias);
    for (const tablet of cluster.topology.tablets) {
      if (diverged.includes(tablet.alias)) console.error(adviceOn(tablet));
    }
    cluster.with(withServed(cluster.settings)).save();
    return { status, started };
  });
}

/** Waits for every tablet, but not for ever: a shard serves, and keeps its promises, without one. */
export async function untilServing(cluster: Cluster, report: (detail: string) => void, signal?: AbortSignal) {
  const begun = Date.now();
  const lost = lostTablets(cluster).map(({ alias }) => alias);
  for (;;) {
    const now = await readStatus(cluster);
    const waited = Date.now() - begun;
    if (isServing(now) && waited > STRAGGLER_TIMEOUT_MS) return now;
    // What has diverged, or was lost, does not come back by itself.
    const tablets = now.tablets.filter(({ alias, diverged }) => !diverged && !lost.includes(alias));
    if (isWhole({ ...now, tablets })) return now;
    const silent = now.vtgates.filter(({ answers }) => !answers).map(({ name }) => name);
    const missing = now.tablets.filter((tablet) => !isHealthy(tablet)).map(({ alias }) => alias);
    report(`waiting for ${[...silent, ...missing].join(", ") || "a primary"}`);
    if (waited > START_TIMEOUT_MS) {
      const { resharding } = cluster.settings;
      const hint = resharding ? ` A resharding was interrupted: 'reshard ${resharding.length}' finishes it.` : "";
      throw new ClusterProblem(
        `Not every shard serves after ${START_TIMEOUT_MS / 1000} s.${hint} See the logs in ${cluster.dataDir}/logs.`,
      );
    }
    await sleep(200, undefined, { signal });
  }
}

/** Stops every process of the folder's cluster, those that serve first, those they depend on last. */
export async function down(dataDir: string, signal?: AbortSignal) {
  Cluster.load(dataDir);
  await exclusively(dataDir, signal, () => stopAll(Cluster.load(dataDir)));
}

/** Stops the cluster and deletes its data. */
export async function reset(dataDir: string, signal?: AbortSignal) {
  Cluster.load(dataDir);
  await exclusively(dataDir, signal, async () => {
    const cluster = Cluster.load(dataDir);
    await stopAll(cluster);
    cluster.remove();
  });
}

/** What runs, in which role. */
export async function clusterStatus(dataDir: string): Promise<ClusterStatus> {
  return await readStatus(Cluster.load(dataDir));
}

/** Whether the folder holds a cluster, running or not. */
export function clusterExists(dataDir: string): boolean {
  return Cluster.find(dataDir) !== undefined;
}
