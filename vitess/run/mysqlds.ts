// The MySQL servers of a cluster, which mysqlctl starts: one for each tablet, with memory shared fairly among them.

import { existsSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { type Connection, createConnection } from "mysql2/promise";
import type { Parts } from "../install/parts.ts";
import { ClusterProblem } from "../support/problem.ts";
import { type Processes, run } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import { together } from "../support/together.ts";
import { bufferPoolMb, memorySettings, mysqlSettings } from "../topology/mysql.ts";
import { LOOPBACK, type Tablet } from "../topology/topology.ts";
import type { Cluster } from "./folder.ts";
import { applyRelayLog } from "./relay-log.ts";

/** A server that has not stopped by then is killed; what it acknowledged is on disk either way. */
export const STOP_TIMEOUT_MS = 60_000;
const SQL_TIMEOUT_MS = 10_000;
const INITIALIZED = "initialized";
/** What mysqlctl prints of a mysqld that it has started. It would then wait five minutes for it nevertheless. */
const MYSQLD_ENDED = /Mysqld\.Start\(\d+\) exit: /;

/** What mysqlctl, and vttablet in its place, need to know about mysqld. */
export function mysqlEnvironment({ dataDir }: Cluster, parts: Parts): Record<string, string> {
  return { VTDATAROOT: dataDir, VT_MYSQL_ROOT: parts.mysqlRoot, EXTRA_MY_CNF: join(dataDir, "extra.cnf") };
}

/** Gives a new tablet, whose mysqld runs and is empty, what it shall hold; `start` starts that again. */
export type Fill = (tablet: Tablet, start: () => Promise<void>, signal: AbortSignal) => Promise<void>;

/** Starts those that don't run; `stops` gets what ends them again. New ones are empty, or what `fill` makes of them. */
export async function startMysqlds(
  cluster: Cluster,
  parts: Parts,
  stops: (() => Promise<void>)[],
  signal: AbortSignal,
  fill?: Fill,
) {
  const { processes, topology, dataDir } = cluster;
  const { tablets } = topology;
  const lines = ["[mysqld]", ...mysqlSettings(LOOPBACK, poolOfEach(cluster)), ...parts.mysqlFiles, ""];
  writeFileSync(join(dataDir, "extra.cnf"), lines.join("\n"));
  const running = tablets.filter((tablet) => mysqldRuns(processes, tablet));
  let started = running.length;
  await step(`${tablets.length} MySQL servers`, async (report) => {
    // Those that run make room first.
    await fitMemory(cluster);
    const start = (tablet: Tablet) => async (signal: AbortSignal) => {
      stops.push(() => stopMysqld(processes, tablet));
      await startMysqld(cluster, parts, tablet, signal, fill);
      report(`${++started} of ${tablets.length} started`);
    };
    await together(signal, tablets.filter((tablet) => !running.includes(tablet)).map(start));
  });
}

/** Whether the tablet's folder holds data, all of what it began with. */
export function isInitialized({ dir }: Tablet): boolean {
  return existsSync(join(dir, INITIALIZED));
}

async function startMysqld(cluster: Cluster, parts: Parts, tablet: Tablet, signal: AbortSignal, fill?: Fill) {
  const env = mysqlEnvironment(cluster, parts);
  const call = async (command: string) => {
    const ended = new AbortController();
    const onLine = (line: string) => {
      if (MYSQLD_ENDED.test(line)) ended.abort(new ClusterProblem(`${tablet.mysqld} ended at its start:`));
    };
    try {
      const mysqlctl = { file: parts.programs.mysqlctl, args: [...tablet.mysqlctl, command], env };
      await run(mysqlctl, { signal: AbortSignal.any([signal, ended.signal]), onLine });
    } catch (error) {
      throw error instanceof ClusterProblem ? new ClusterProblem(`${error.message}\n${errorsOf(tablet)}`) : error;
    }
  };
  if (isInitialized(tablet)) {
    // Left by a mysqld that was killed; mysqlctl would wait for whatever process has its id now.
    for (const file of ["mysql.pid", "mysql.sock.lock"]) rmSync(join(tablet.dir, file), { force: true });
    await call("reinit_config");
    await call("start");
    await connected(tablet, (connection) => applyRelayLog(connection, join(tablet.dir, "relay-logs"), signal));
  } else {
    // An earlier init was interrupted, or there was none: such a folder holds no data yet.
    rmSync(tablet.dir, { recursive: true, force: true });
    await call("init");
    await fill?.(tablet, () => call("start"), signal);
    writeFileSync(join(tablet.dir, INITIALIZED), "");
  }
  if (!mysqldRuns(cluster.processes, tablet)) throw new ClusterProblem(`${tablet.mysqld} ended right after its start.`);
}

/** Does something in a session at the tablet's mysqld, with all rights, if that is there in time. */
export async function connected<T>(
  { mysqlSocket }: Pick<Tablet, "mysqlSocket">,
  work: (connection: Connection) => Promise<T>,
  connectTimeout = SQL_TIMEOUT_MS,
): Promise<T> {
  const connection = await createConnection({ socketPath: mysqlSocket, user: "vt_dba", connectTimeout });
  // Losing it fails the statement that goes on, and nothing else.
  connection.on("error", () => {});
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}

/** What the end of the mysqld's own log says of why it did not start, as far as it came. */
function errorsOf({ dir }: Tablet): string {
  const log = join(dir, "error.log");
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
  return lines
    .filter((line) => line.includes("[ERROR]"))
    .slice(-5)
    .join("\n");
}

/** What each has, in MB, when all have an equal share of the machine. */
export function memoryOfEach(cluster: Cluster) {
  return memorySettings(poolOfEach(cluster));
}

/** Gives that to those that run. */
export async function fitMemory(cluster: Cluster) {
  const { processes, topology } = cluster;
  const running = topology.tablets.filter((tablet) => mysqldRuns(processes, tablet));
  const settings = memoryOfEach(cluster);
  await Promise.all(
    running.map((tablet) =>
      connected(tablet, async (connection) => {
        for (const [name, mb] of Object.entries(settings)) {
          // InnoDB does the work in the background; the value that it has already costs nothing.
          const sql = `SET GLOBAL ${name} = ${mb * 2 ** 20}`;
          await connection.query({ sql, timeout: SQL_TIMEOUT_MS });
        }
        // One that can't be asked keeps what it has, until it is started again.
      }).catch(() => {}),
    ),
  );
}

function poolOfEach({ topology }: Cluster): number {
  return bufferPoolMb(totalmem() / 2 ** 20, topology.tablets.length);
}

/**
 * Whether the tablet's mysqld runs. mysqlctl, which starts it, leaves its process id in a file; a stale file names
 * no process with this my.cnf.
 */
export function mysqldRuns(processes: Processes, tablet: Tablet): boolean {
  if (processes.pid(tablet.mysqld) !== undefined) return true;
  const pidFile = join(tablet.dir, "mysql.pid");
  if (!existsSync(pidFile)) return false;
  const pid = Number(readFileSync(pidFile, "utf8"));
  const commandLine = `/proc/${pid}/cmdline`;
  if (!existsSync(commandLine) || !readFileSync(commandLine, "utf8").includes(`${tablet.dir}/my.cnf`)) return false;
  processes.adopt(tablet.mysqld, pid);
  return processes.pid(tablet.mysqld) !== undefined;
}

/**
 * Stops the tablet's mysqld, but its vttablet first, whoever started that. MySQL, when it is told to stop, ends a commit's
 * wait for a replica and says that it is done; a vttablet that still serves would acknowledge a write that is on one disk.
 */
export async function stopMysqld(processes: Processes, tablet: Tablet) {
  await processes.stop(tablet.vttablet.name, STOP_TIMEOUT_MS);
  if (mysqldRuns(processes, tablet)) await processes.stop(tablet.mysqld, STOP_TIMEOUT_MS);
}

/** What the cluster's MySQL servers hold, about: those of all shards, or the largest of one. */
export function dataMb({ topology }: Cluster, shard?: string): number {
  const sizes = topology.tablets.filter((tablet) => shard === undefined || tablet.shard === shard).map(sizeMb);
  return shard === undefined ? sizes.reduce((all, mb) => all + mb, 0) : Math.max(...sizes);
}

function sizeMb({ dir }: Tablet): number {
  const files = globSync(join(dir, "data/vt_*/*.ibd"));
  return Math.ceil(files.reduce((bytes, file) => bytes + statSync(file).size, 0) / 2 ** 20);
}
