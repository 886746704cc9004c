// What a section of the benchmarks stands on: a cluster of its own, servers over it, reference servers beside it, and
// their end, however the section ends.

import { existsSync, globSync, mkdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { portInUse } from "../src/port.ts";
import { clusterExists, reset, up } from "../vitess/run/cluster.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { startWorkerd } from "../vitess/run/workerd.ts";
import { ClusterProblem } from "../vitess/support/problem.ts";
import { type Command, makeDataDir, Processes } from "../vitess/support/processes.ts";
import { step } from "../vitess/support/progress.ts";
import { LOOPBACK } from "../vitess/topology/topology.ts";

const PORT_BASE = 19000;
/** Above those of the cluster. */
const REFERENCE_PORTS = PORT_BASE + 500;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 30_000;
/** What statfs says of a tmpfs. */
const TMPFS_MAGIC = 0x01021994;

export interface Options {
  /** How long each measurement takes. */
  seconds: number;
  /** How long the same load runs before it, unmeasured. */
  warmupSeconds: number;
  /** How many times everything is measured; each figure is the median. */
  rounds: number;
}

export class Rig {
  private readonly dataDir = dataDir();
  /** Held by the one run that may use the folder and the ports. */
  readonly lockFile = `${this.dataDir}.lock`;
  private readonly processes = new Processes(join(this.dataDir, "references"));
  private runningCluster: Promise<ClusterStatus> | undefined;
  private stops: (() => Promise<void>)[] = [];
  private nextPort = REFERENCE_PORTS;

  constructor(
    readonly options: Options,
    /** Fires at Ctrl-C; pass it on to whatever takes long. */
    readonly signal: AbortSignal,
  ) {}

  /** Stops and deletes what an earlier run that was killed has left, and makes the data folder. */
  async open() {
    await this.close();
    makeDataDir(this.dataDir);
  }

  /** The cluster of two shards with three tablets each, started when it is first asked for, kept between sections. */
  cluster(): Promise<ClusterStatus> {
    this.runningCluster ??= this.up();
    return this.runningCluster;
  }

  /** One of another number of shards in its place, until the rig is closed or opened again. */
  async clusterOf(shards: number): Promise<ClusterStatus> {
    await this.open();
    this.runningCluster = this.up(shards);
    return this.runningCluster;
  }

  /**
   * The real server over the cluster, or `program`, which is another version of it, on a free port, with the default
   * configuration except for what is given, and without packing: of one letter many times, as most benchmarks' values
   * are, it would leave next to nothing.
   */
  async startServer(environment: Record<string, string> = {}, program?: string): Promise<RunningServer> {
    const { url } = await this.cluster();
    return await this.keep(await startServer({ DATABASE_URL: url, KV_COMPRESS: "false", ...environment }, program));
  }

  /** Has a server make the table, for sections that send statements of their own. */
  async makeTable() {
    await this.startServer({ KV_SWEEP: "false" });
    await this.stopServers();
  }

  /** The Worker in workerd, over a database, or as an edge of the server at `forwardUrl`. */
  async startWorkerd(databaseUrl: string, forwardUrl?: string): Promise<RunningServer> {
    return await this.keep(await startWorkerd(databaseUrl, forwardUrl));
  }

  /** A program in TypeScript that says like the real server where it serves. */
  async startScript(file: string): Promise<RunningServer> {
    return await this.keep(await startServer({}, file));
  }

  /** A program that is ready once it listens on the first of its `ports`, which are free ones. */
  async startReference(
    name: string,
    ports: number,
    command: (ports: number[], dir: string) => Command,
  ): Promise<{ pid: number; ports: number[] }> {
    const chosen = Array.from({ length: ports }, () => this.nextPort++);
    for (const port of chosen) {
      if (await portInUse(LOOPBACK, port)) throw new ClusterProblem(`Port ${port} (for ${name}) is in use.`);
    }
    const dir = join(this.dataDir, "references", name);
    makeDataDir(dir);
    const pid = this.processes.start(name, command(chosen, dir));
    this.stops.push(() => this.processes.stop(name, STOP_TIMEOUT_MS));
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await portInUse(LOOPBACK, chosen[0] as number))) {
      if (this.processes.pid(name) === undefined || Date.now() > deadline) {
        throw new ClusterProblem(`${name} did not start. The end of its log:\n${this.processes.logTail(name)}`);
      }
      await sleep(50, undefined, { signal: this.signal });
    }
    return { pid, ports: chosen };
  }

  /** Path for a file of a section's own, such as a load generator's input. */
  file(name: string): string {
    const dir = join(this.dataDir, "files");
    mkdirSync(dir, { recursive: true });
    return join(dir, name);
  }

  /** Ends what a section has started, except the cluster. */
  async stopServers() {
    for (const stop of this.stops.splice(0).reverse()) await stop();
  }

  /** Stops and deletes everything. */
  async close() {
    this.runningCluster = undefined;
    await this.stopServers();
    const left = globSync(join(this.dataDir, "references/run/*.pid")).map((file) => basename(file, ".pid"));
    for (const name of left) await this.processes.stop(name, STOP_TIMEOUT_MS);
    if (clusterExists(this.dataDir)) await reset(this.dataDir);
    if (existsSync(this.dataDir)) {
      await step("delete the data", async () => rmSync(this.dataDir, { recursive: true, force: true }));
    }
  }

  private async up(shards?: number): Promise<ClusterStatus> {
    return (await up({ dataDir: this.dataDir, portBase: PORT_BASE, shards }, this.signal)).status;
  }

  private async keep(server: RunningServer): Promise<RunningServer> {
    // Written down, so that the next run can stop it if this one is killed.
    const name = `server-${server.pid}`;
    this.processes.adopt(name, server.pid);
    this.stops.push(() => this.processes.stop(name, STOP_TIMEOUT_MS));
    this.signal.throwIfAborted();
    return server;
  }
}

/** A fixed and short place, on a disk: commits must cost here what they cost in earnest. */
function dataDir(): string {
  const parent = [tmpdir(), "/var/tmp"].find((dir) => existsSync(dir) && statfsSync(dir).type !== TMPFS_MAGIC);
  if (!parent) throw new ClusterProblem("/tmp and /var/tmp are in memory. Set TMPDIR to a folder on a disk.");
  return join(parent, `vitess-kv-bench-${process.getuid?.() ?? 0}`);
}
