// Whether a folder and a machine have room for a cluster, found out before anything is started.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { requireSpace } from "../install/cache.ts";
import { ClusterProblem } from "../support/problem.ts";
import { reachableByServers } from "../support/processes.ts";
import { TABLET_MB } from "../topology/topology.ts";
import type { Cluster } from "./folder.ts";
import { memoryOfEach, mysqldRuns } from "./mysqlds.ts";

/** The longest path of a Unix socket that Linux accepts, in bytes. */
const SOCKET_PATH_BYTES = 107;
/** System tablespaces, binary logs and relay logs of a fresh mysqld, beside its redo log. */
const TABLET_DISK_MB = 250;
/**
 * Requests that InnoDB may have under way at the kernel: 256 in each of its threads for reading and writing and in a
 * few others. A kernel gives 65,536 to all processes together, unless told otherwise.
 */
const AIO_REQUESTS = 256 * (Math.max(4, availableParallelism() / 2) + 6);

/** Fails with a sentence where the cluster, with so much data to be copied into it, can't be. */
export function requireRoom(cluster: Cluster, dataMb = 0) {
  const { dataDir, topology } = cluster;
  const socket = Math.max(...topology.tablets.map((tablet) => Buffer.byteLength(tablet.mysqlSocket)));
  if (socket > SOCKET_PATH_BYTES) {
    throw new ClusterProblem(
      `The data folder's path is ${socket - SOCKET_PATH_BYTES} bytes too long for a Unix socket in it: ${dataDir}. Choose a shorter one with --data.`,
    );
  }
  if (!reachableByServers(dataDir)) {
    throw new ClusterProblem(
      `The servers don't run as root, and the user that they run as can't enter ${dataDir}. Choose a folder that everyone can enter with --data.`,
    );
  }
  mkdirSync(dataDir, { recursive: true });
  const fresh = topology.tablets.filter((tablet) => !existsSync(tablet.dir)).length;
  const tabletMb = TABLET_DISK_MB + memoryOfEach(cluster).innodb_redo_log_capacity;
  requireSpace(dataDir, 200 + fresh * tabletMb + dataMb);
  requireAio(topology.tablets.filter((tablet) => !mysqldRuns(cluster.processes, tablet)).length);
}

/** Fails when tablets can't have the least memory that they need beside what runs. */
export function requireMemory(tablets: number, hint = "") {
  const [needed, available] = [tablets * TABLET_MB, Math.floor(freemem() / 2 ** 20)];
  if (available < needed) {
    throw new ClusterProblem(
      `${tablets === 1 ? "One more tablet needs" : `${tablets} more tablets need`} ${needed} MB of memory, and ${available} MB are available. ${hint}`.trim(),
    );
  }
}

function requireAio(mysqlds: number) {
  const limit = "/proc/sys/fs/aio-max-nr";
  if (!existsSync(limit)) return;
  const used = Number(readFileSync("/proc/sys/fs/aio-nr", "utf8"));
  const most = Number(readFileSync(limit, "utf8"));
  const needed = used + mysqlds * AIO_REQUESTS;
  if (mysqlds > 0 && needed > most) {
    throw new ClusterProblem(
      `${mysqlds} more MySQL servers need more asynchronous I/O than the kernel allows: ${needed} requests at once, of ${most}. Raise it: sysctl -w fs.aio-max-nr=${2 ** Math.ceil(Math.log2(needed))}`,
    );
  }
}
