// Starts, inspects and stops a cluster on this machine: the topology's processes on loopback, their data in one folder.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { requireSpace } from "./cache.ts";
import { withLock } from "./lock.ts";
import { findParts, type Parts } from "./parts.ts";
import { ClusterProblem } from "./problem.ts";
import { makeDataDir, Processes, portInUse, reachableByServers, run, writePrivateFile } from "./processes.ts";
import { step } from "./progress.ts";
import { type ClusterStatus, isHealthy, isServing, isWhole, readStatus } from "./status.ts";
import { together } from "./together.ts";
import {
  bufferPoolMb,
  KEYSPACE,
  LOOPBACK,
  mysqlSettings,
  newSettings,
  type Process,
  type Settings,
  type Tablet,
  type Topology,
  topology,
  vtgateUsers,
} from "./topology.ts";

const LOCK_FILE = "launcher.lock";
/** The longest path of a Unix socket that Linux accepts, in bytes. */
const SOCKET_PATH_BYTES = 107;
/** Redo logs, system tablespaces and binary logs of a fresh mysqld. */
const TABLET_DISK_MB = 350;
const READY_TIMEOUT_MS = 2_000;
const PORT_TIMEOUT_MS = 2_000;
/** How long a start waits for tablets that their shard can do without. */
const STRAGGLER_TIMEOUT_MS = 40_000;
const START_TIMEOUT_MS = 120_000;
/** A server that has not stopped by then is killed; what it acknowledged is on disk either way. */
const STOP_TIMEOUT_MS = 60_000;

export interface ClusterOptions {
  dataDir: string;
  /** For a new data folder; an existing one keeps what it was made with, and a different wish is an error. */
  shards?: number;
  tablets?: number;
  portBase?: number;
}

export const DEFAULTS = { shards: 2, tablets: 3, portBase: 15000 };

/** The default data folder; root's own home is closed to the user that the servers run as. */
export function defaultDataDir(): string {
  return process.getuid?.() === 0
    ? "/var/lib/vitess-kv"
    : join(process.env.XDG_DATA_HOME ?? join(process.env.HOME ?? "/tmp", ".local/share"), "vitess-kv");
}

/** Everything about the cluster of one data folder. */
class Cluster {
  readonly topology: Topology;
  readonly processes: Processes;

  constructor(
    readonly dataDir: string,
    readonly settings: Settings,
    readonly password: string,
  ) {
    this.topology = topology(settings, { dataDir, bind: LOOPBACK, hostOf: () => LOOPBACK });
    this.processes = new Processes(dataDir);
  }

  static load(dataDir: string): Cluster | undefined {
    const file = join(dataDir, "cluster.json");
    if (!existsSync(file)) return undefined;
    const { settings, password } = JSON.parse(readFileSync(file, "utf8"));
    return new Cluster(dataDir, settings, password);
  }

  /** The folder's cluster, or a new one written to it. */
  static open(options: ClusterOptions): Cluster {
    const { dataDir, shards, tablets, portBase } = options;
    const existing = Cluster.load(dataDir);
    if (!existing) {
      const settings = newSettings(
        shards ?? DEFAULTS.shards,
        tablets ?? DEFAULTS.tablets,
        portBase ?? DEFAULTS.portBase,
      );
      return new Cluster(dataDir, settings, randomBytes(18).toString("base64url"));
    }
    const { settings, topology } = existing;
    const perShard = settings.tablets.length / topology.shards.length;
    for (const [flag, wanted, actual] of [
      ["--shards", shards, topology.shards.length],
      ["--tablets", tablets, perShard],
      ["--port-base", portBase, settings.portBase],
    ] as const) {
      if (wanted !== undefined && wanted !== actual) {
        throw new ClusterProblem(
          `The cluster in ${dataDir} was made with ${flag} ${actual}, not ${wanted}. Leave the flag out, choose another --data, or delete the cluster with 'reset'.`,
        );
      }
    }
    return existing;
  }

  save() {
    makeDataDir(this.dataDir);
    writePrivateFile(
      join(this.dataDir, "cluster.json"),
      JSON.stringify({ settings: this.settings, password: this.password }, undefined, 2),
    );
    writePrivateFile(join(this.dataDir, "vtgate-users.json"), vtgateUsers(this.password));
  }
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
  await checkPlace(Cluster.open(options));
  const parts = await findParts(signal);
  makeDataDir(dataDir);
  return await withLock(join(dataDir, LOCK_FILE), { signal, onWait: sayWaiting }, async () => {
    const cluster = Cluster.open(options);
    cluster.save();
    const stops: (() => Promise<void>)[] = [];
    const { etcd, vtgate } = cluster.topology;
    const started = [etcd, vtgate].every(({ name }) => cluster.processes.pid(name) === undefined);
    try {
      return { status: await start(cluster, parts, stops, signal), started };
    } catch (error) {
      if (stops.length > 0) await step("stop what was started", () => runInReverse(stops));
      throw error;
    }
  });
}

function sayWaiting(holder: number) {
  console.error(`… waiting for process ${holder}, which is starting or stopping this cluster`);
}

async function start(
  cluster: Cluster,
  parts: Parts,
  stops: (() => Promise<void>)[],
  signal?: AbortSignal,
): Promise<ClusterStatus> {
  const { topology, processes } = cluster;
  const { etcd, vtctld, vtorc, vtgate, tablets } = topology;
  await checkPorts(cluster);
  const extra = join(cluster.dataDir, "extra.cnf");
  const settings = mysqlSettings(LOOPBACK, bufferPoolMb(totalmem() / 2 ** 20, tablets.length));
  writeFileSync(extra, ["[mysqld]", ...settings, ...parts.mysqlFiles, ""].join("\n"));
  // What mysqlctl, and vttablet in its place, need to know about mysqld.
  const env = { VTDATAROOT: cluster.dataDir, VT_MYSQL_ROOT: parts.mysqlRoot, EXTRA_MY_CNF: extra };

  const launch = (spec: Process) => async (signal: AbortSignal) => {
    if (processes.pid(spec.name) === undefined) {
      processes.start(spec.name, { file: parts.programs[spec.program], args: spec.args, env });
      stops.push(() => processes.stop(spec.name, STOP_TIMEOUT_MS));
    }
    await untilReady(processes, spec, signal);
  };

  await together(signal, [
    (signal) =>
      step("etcd, vtctld and the keyspace", async () => {
        await launch(etcd)(signal);
        await launch(vtctld)(signal);
        await setUpKeyspace(cluster, parts, signal);
      }),
    (signal) => startMysqlds(cluster, { mysqlctl: parts.programs.mysqlctl, env, stops, signal }),
  ]);
  // vtorc and vtgate look for tablets when they start, and again only seconds later.
  await step(`${tablets.length} tablets`, () =>
    together(
      signal,
      tablets.map((tablet) => launch(tablet.vttablet)),
    ),
  );
  await step("vtorc and vtgate", () => together(signal, [vtorc, vtgate].map(launch)));
  return await step("every tablet serves", (report) => untilServing(cluster, report, signal));
}

/** Waits for every tablet, but not for ever: a shard serves, and keeps its promises, without one. */
async function untilServing(cluster: Cluster, report: (detail: string) => void, signal?: AbortSignal) {
  const begun = Date.now();
  for (;;) {
    const now = await readStatus(cluster);
    const waited = Date.now() - begun;
    if (isWhole(now) || (isServing(now) && waited > STRAGGLER_TIMEOUT_MS)) return now;
    const missing = now.tablets.filter((tablet) => !isHealthy(tablet)).map((tablet) => tablet.alias);
    report(`waiting for ${missing.join(", ") || "a primary"}`);
    if (waited > START_TIMEOUT_MS) {
      throw new ClusterProblem(
        `Not every shard serves after ${START_TIMEOUT_MS / 1000} s. See the logs in ${cluster.dataDir}/logs.`,
      );
    }
    await sleep(200, undefined, { signal });
  }
}

async function startMysqlds(
  { processes, topology }: Cluster,
  options: { mysqlctl: string; env: Record<string, string>; stops: (() => Promise<void>)[]; signal: AbortSignal },
) {
  const { mysqlctl, env, stops, signal } = options;
  let started = 0;
  await step(`${topology.tablets.length} MySQL servers`, (report) =>
    together(
      signal,
      topology.tablets.map((tablet) => async (signal) => {
        const call = (command: string) => run({ file: mysqlctl, args: [...tablet.mysqlctl, command], env }, { signal });
        if (!mysqldRuns(processes, tablet)) {
          stops.push(() => stopMysqld(processes, tablet));
          const initialized = join(tablet.dir, "initialized");
          if (existsSync(initialized)) {
            // Left by a mysqld that was killed; mysqlctl would wait for whatever process has its id now.
            for (const file of ["mysql.pid", "mysql.sock.lock"]) rmSync(join(tablet.dir, file), { force: true });
            await call("reinit_config");
            await call("start");
          } else {
            // An earlier init was interrupted, or there was none: such a folder holds no data yet.
            rmSync(tablet.dir, { recursive: true, force: true });
            await call("init");
            writeFileSync(initialized, "");
          }
          if (!mysqldRuns(processes, tablet)) throw new ClusterProblem(`${tablet.mysqld} ended right after its start.`);
        }
        report(`${++started} of ${topology.tablets.length} started`);
      }),
    ),
  );
}

/**
 * Whether the tablet's mysqld runs. mysqlctl, which starts it, leaves its process id in a file; a stale file names
 * no process with this my.cnf.
 */
function mysqldRuns(processes: Processes, tablet: Tablet): boolean {
  if (processes.pid(tablet.mysqld) !== undefined) return true;
  const pidFile = join(tablet.dir, "mysql.pid");
  if (!existsSync(pidFile)) return false;
  const pid = Number(readFileSync(pidFile, "utf8"));
  const commandLine = `/proc/${pid}/cmdline`;
  if (!existsSync(commandLine) || !readFileSync(commandLine, "utf8").includes(`${tablet.dir}/my.cnf`)) return false;
  processes.adopt(tablet.mysqld, pid);
  return processes.pid(tablet.mysqld) !== undefined;
}

async function stopMysqld(processes: Processes, tablet: Tablet) {
  if (mysqldRuns(processes, tablet)) await processes.stop(tablet.mysqld, STOP_TIMEOUT_MS);
}

async function setUpKeyspace(cluster: Cluster, parts: Parts, signal?: AbortSignal) {
  const { vtctld, setup } = cluster.topology;
  const client = (args: string[]) =>
    run(
      { file: parts.programs.vtctldclient, args: [`--server=${LOOPBACK}:${vtctld.ports.grpc}`, ...args] },
      { signal },
    );
  for (const { unless, call } of setup) {
    await client(unless).catch((error) => {
      signal?.throwIfAborted();
      if (!(error instanceof ClusterProblem)) throw error;
      return client(call);
    });
  }
  const vschema = readFileSync(join(import.meta.dirname, "vschema.json"), "utf8");
  await client(["ApplyVSchema", `--vschema=${vschema}`, KEYSPACE]);
}

async function untilReady(processes: Processes, spec: Process, signal?: AbortSignal) {
  const url = `http://${LOOPBACK}:${spec.ports.http}${spec.readyPath}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const limit = AbortSignal.timeout(READY_TIMEOUT_MS);
    const answer = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    signal?.throwIfAborted();
    if (processes.pid(spec.name) === undefined || Date.now() > deadline) {
      throw new ClusterProblem(
        `${spec.name} did not start. The end of ${processes.logFile(spec.name)}:\n${processes.logTail(spec.name)}`,
      );
    }
    await sleep(100, undefined, { signal });
  }
}

async function checkPlace({ dataDir, topology }: Cluster) {
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
  requireSpace(dataDir, 200 + fresh * TABLET_DISK_MB);
}

async function checkPorts({ processes, topology }: Cluster) {
  const { etcd, vtctld, vtorc, vtgate, tablets } = topology;
  const wanted = [
    ...[etcd, vtctld, vtorc, vtgate, ...tablets.map((tablet) => tablet.vttablet)]
      .filter(({ name }) => processes.pid(name) === undefined)
      .flatMap(({ name, ports }) => Object.entries(ports).map(([purpose, port]) => ({ name, purpose, port }))),
    ...tablets
      .filter((tablet) => !mysqldRuns(processes, tablet))
      .map((tablet) => ({ name: tablet.mysqld, purpose: "mysql", port: tablet.mysqlPort })),
  ];
  for (const { name, purpose, port } of wanted) {
    // A process that was just killed may take a moment to let go of its port.
    const deadline = Date.now() + PORT_TIMEOUT_MS;
    while (await portInUse(LOOPBACK, port)) {
      if (Date.now() > deadline) {
        throw new ClusterProblem(
          `Port ${port} (for ${name}, ${purpose}) is in use. Stop what listens there, perhaps a cluster in another data folder, or choose other ports with --port-base.`,
        );
      }
      await sleep(100);
    }
  }
}

/** Stops every process of the folder's cluster, those that serve first, those they depend on last. */
export async function down(dataDir: string, signal?: AbortSignal) {
  const cluster = Cluster.load(dataDir);
  if (!cluster) throw noCluster(dataDir);
  await withLock(join(dataDir, LOCK_FILE), { signal, onWait: sayWaiting }, () => stopAll(cluster));
}

/** Stops the cluster and deletes its data. */
export async function reset(dataDir: string, signal?: AbortSignal) {
  const cluster = Cluster.load(dataDir);
  if (!cluster) throw noCluster(dataDir);
  await withLock(join(dataDir, LOCK_FILE), { signal, onWait: sayWaiting }, async () => {
    await stopAll(cluster);
    for (const { dir } of cluster.topology.tablets) rmSync(dir, { recursive: true, force: true });
    for (const name of ["etcd", "logs", "run", "backups", "extra.cnf", "vtgate-users.json", "cluster.json"]) {
      rmSync(join(dataDir, name), { recursive: true, force: true });
    }
  });
}

async function stopAll({ processes, topology }: Cluster) {
  const stop = ({ name }: Process) => processes.stop(name, STOP_TIMEOUT_MS);
  await step("stop the cluster", async (report) => {
    report("vtgate and vtorc");
    // Without vtorc first, stopping a primary would start an election.
    await Promise.all([stop(topology.vtgate), stop(topology.vtorc)]);
    report("tablets");
    await Promise.all(topology.tablets.map((tablet) => stop(tablet.vttablet)));
    report("MySQL servers");
    await Promise.all(topology.tablets.map((tablet) => stopMysqld(processes, tablet)));
    report("vtctld and etcd");
    await stop(topology.vtctld);
    await stop(topology.etcd);
  });
}

/** What runs, in which role. */
export async function clusterStatus(dataDir: string): Promise<ClusterStatus> {
  const cluster = Cluster.load(dataDir);
  if (!cluster) throw noCluster(dataDir);
  return await readStatus(cluster);
}

/** Whether the folder holds a cluster, running or not. */
export function clusterExists(dataDir: string): boolean {
  return Cluster.load(dataDir) !== undefined;
}

function noCluster(dataDir: string) {
  return new ClusterProblem(`There is no cluster in ${dataDir}. Start one with 'up', or name its folder with --data.`);
}

/** Runs every stop, the last first, also when one fails. */
async function runInReverse(stops: (() => Promise<void>)[]) {
  for (const stop of stops.reverse()) await stop().catch((error) => console.error(error));
}
