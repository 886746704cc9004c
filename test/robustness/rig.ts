// What faults happen to: a cluster of its own, and two servers over it that sweep; and what a fault is.

import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findParts } from "../../vitess/install/parts.ts";
import { clusterStatus } from "../../vitess/run/cluster.ts";
import { Cluster } from "../../vitess/run/folder.ts";
import { type ClusterStatus, isWhole } from "../../vitess/run/status.ts";
import { vtctl } from "../../vitess/run/vtctl.ts";
import { Processes } from "../../vitess/support/processes.ts";
import { until } from "../../vitess/support/until.ts";
import { KEYSPACE, type Program } from "../../vitess/topology/topology.ts";
import { clear, launch } from "../cluster-cli.ts";
import { Server } from "./server.ts";

/** A tablet, as the cluster's status tells of it. */
export type TabletStatus = ClusterStatus["tablets"][number];

/** Something that goes wrong, or is done to a cluster, while calls are made. */
export interface Fault {
  /** As `--fault` takes it. */
  name: string;
  /** What is done, as a noun: for the report. */
  title: string;
  /** Whether one shard alone is concerned, `rig.shard`; then the others are expected to go on. */
  scope: "shard" | "cluster";
  /**
   * Whether each server asks its own vtgate alone, the first one the first, and each client its own server, as within the
   * zones of a region: so that nobody goes around a vtgate that is wrong.
   */
  zoned?: boolean;
  /** Whether more clients only read: where no replica confirms a write, all others wait for one before long. */
  readers?: boolean;
  /** Whether traffic is without TTLs, because clocks differ: the model knows one. */
  withoutTtls?: boolean;
  /** By what the report judges it, beyond the store's promises. */
  expect?: {
    /** Every call is answered with what it asked for, if late. */
    noFailedCalls?: boolean;
    /** From the last write that succeeded in a shard to the next one. */
    writesResumeWithinMs?: number;
  };
  /** Why it can't be done on this machine, or as things are, if so. */
  impossible?: (rig: Rig) => Promise<string | undefined>;
  /** What the machine lacks for it, if anything: asked before all faults, and again before this one. */
  lacks?: (rig: Rig) => Promise<string | undefined>;
  /**
   * Does it, while calls are made. When it returns, what it has done to machines is undone (a network joined, a disk
   * freed) and processes that it stopped may be missing: they are started again afterwards, by `cluster up`.
   */
  run: (rig: Rig, signal: AbortSignal) => Promise<void>;
}

export interface RigOptions {
  dataDir: string;
  portBase: number;
  shards: number;
  tablets: number;
  /** Where the first server finds vtgate, if not where the cluster's status says. */
  firstUrl?: (url: string) => Promise<string>;
  /** Added to the environment of the cluster's commands and of the servers. */
  environment?: Record<string, string>;
}

/** A machine may be busy with other things. */
const WHOLE_TIMEOUT_MS = 180_000;
const CONFIRM_MS = 5_000;

export class Rig {
  readonly servers: Server[] = [];
  private zoned = false;
  /** By command of the cluster's, how long it took whenever it succeeded. */
  readonly tookMs = new Map<string, number[]>();

  constructor(private readonly options: RigOptions) {}

  get dataDir(): string {
    return this.options.dataDir;
  }

  /** How many there are at first. */
  get shards(): number {
    return this.options.shards;
  }

  /** The shard that a fault of one shard is about. */
  shard = "";

  /** Starts the cluster and the servers, on nothing of what was there before. */
  async open() {
    const { portBase, shards, tablets, environment } = this.options;
    await this.close();
    const shape = ["--shards", shards, "--tablets", tablets, "--port-base", portBase].map(String);
    await this.cluster("up", ...shape);
    const { shards: names } = await this.status();
    this.shard = names[0] as string;
    this.zoned = false;
    for (const number of [0, 1]) {
      const server = new Server({
        ...environment,
        DATABASE_URL: await this.urlFor(number),
        // Just below those of the cluster.
        PORT: String(portBase - 1 - number),
        // One packs values and the other does not, so that rows are of both kinds.
        KV_COMPRESS: String(number === 0),
      });
      this.servers.push(server);
      await server.start();
    }
  }

  /** Has each server ask its own vtgate alone, or again all of them. */
  async arrange(zoned: boolean) {
    if (zoned === this.zoned) return;
    this.zoned = zoned;
    for (const [number, server] of this.servers.entries()) {
      await server.restart({ DATABASE_URL: await this.urlFor(number) });
    }
  }

  private async urlFor(number: number): Promise<string> {
    const { firstUrl } = this.options;
    const { url, vtgates } = await this.status();
    const wanted = (this.zoned && vtgates[number]?.url) || url;
    return (number === 0 && (await firstUrl?.(wanted))) || wanted;
  }

  /** Stops and deletes everything. */
  async close() {
    for (const server of this.servers.splice(0)) await server.stop();
    // One that was stopped could not end.
    for (const pid of this.pidsOf()) this.kill(pid, "SIGCONT");
    await clear(this.dataDir);
  }

  status(): Promise<ClusterStatus> {
    return clusterStatus(this.dataDir);
  }

  /** The shard's primary that serves; waits for one. */
  async primaryOf(shard: string): Promise<TabletStatus> {
    let found: TabletStatus | undefined;
    await this.until(async () => {
      found = servingPrimary(await this.status(), shard);
      return found !== undefined;
    }, `a primary of ${shard}`);
    return found as TabletStatus;
  }

  /** Waits until another tablet is the shard's primary; no longer than `mostMs`, for what follows tells whether one is. */
  async anotherPrimary(shard: string, alias: string, mostMs: number) {
    const changed = async () => (servingPrimary(await this.status(), shard)?.alias ?? alias) !== alias;
    await this.until(changed, "there is another primary", mostMs).catch(() => {});
  }

  /** The alias of the primary that the shard's record names, whatever a vtgate takes for it that is cut off. */
  async elected(shard: string): Promise<string> {
    const client = vtctl(Cluster.load(this.dataDir), await findParts());
    const record = JSON.parse(await client(["GetShard", `${KEYSPACE}/${shard}`]));
    const { cell, uid } = record.shard.primary_alias;
    return `${cell}-${String(uid).padStart(10, "0")}`;
  }

  /** Waits until another tablet is elected; no longer than `mostMs`, for what follows tells whether one is. */
  async anotherElected(shard: string, alias: string, mostMs: number) {
    const changed = async () => (await this.elected(shard).catch(() => alias)) !== alias;
    await this.until(changed, "another primary is elected", mostMs).catch(() => {});
  }

  async replicasOf(shard: string): Promise<TabletStatus[]> {
    const { tablets } = await this.status();
    return tablets.filter((tablet) => tablet.shard === shard && tablet.role !== "primary");
  }

  /** Of the cluster's processes that run the program; of all of them without one. */
  pidsOf(program?: Program): number[] {
    const processes = new Processes(this.dataDir);
    const names = globSync(join(this.dataDir, "run/*.pid")).map((file) => basename(file, ".pid"));
    return names
      .filter((name) => program === undefined || name === program || name.startsWith(`${program}-`))
      .flatMap((name) => processes.pid(name) ?? []);
  }

  /** Signals a process; one that is not there, or no longer, is no error. */
  kill(pid: number | null, signal: NodeJS.Signals = "SIGKILL") {
    if (pid === null) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Starts a command of the cluster's; throws what it printed when it fails. */
  async cluster(command: string, ...args: string[]): Promise<string> {
    const begun = performance.now();
    const { code, output } = await this.launch(command, ...args).exited;
    if (code !== 0) throw new Error(`cluster ${command} failed:\n${output}`);
    this.tookMs.set(command, [...(this.tookMs.get(command) ?? []), performance.now() - begun]);
    return output;
  }

  /** The same without waiting for it. */
  launch(command: string, ...args: string[]) {
    return launch([command, ...args, "--data", this.dataDir], this.options.environment);
  }

  /**
   * Starts what has stopped, replaces tablets that diverged, and waits until every tablet serves and both servers are
   * ready. Returns what had to be replaced, in words.
   */
  async mend(): Promise<string[]> {
    await this.cluster("up");
    for (const server of this.servers) await server.start();
    const notes: string[] = [];
    await this.until(async () => {
      const status = await this.status();
      if (isWhole(status)) return true;
      const diverged = status.tablets.find((tablet) => tablet.diverged);
      if (!diverged || !(await this.staysDiverged(diverged.alias))) return false;
      notes.push(`${diverged.alias} had a transaction that was never acknowledged, and was replaced`);
      await this.replace(diverged.alias, diverged.shard);
      return false;
    }, "the cluster is whole");
    await this.until(async () => {
      const ready = await Promise.all(this.servers.map(({ url }) => fetch(`${url}/readyz`).catch(() => undefined)));
      return ready.every((answer) => answer?.ok);
    }, "both servers are ready");
    return notes;
  }

  /** After a fault that could not be done or be mended: mends it once more, goes on with what was begun, or begins anew. */
  async recover() {
    try {
      await this.mend();
      const { resharding, adding } = await this.status();
      if (resharding) await this.cluster("reshard", String(resharding.length));
      if (adding) await this.cluster("add-tablet", adding.shard);
    } catch (error) {
      console.error(`  begun anew, for it could not be mended: ${(error as Error).message}`);
      await this.open();
    }
  }

  /** As an operator would, whose tablet is lost. */
  async replace(alias: string, shard: string) {
    await this.cluster("remove-tablet", alias);
    await this.cluster("add-tablet", shard);
  }

  /** Just after a failover what vtgates tell may be of before. */
  private async staysDiverged(alias: string): Promise<boolean> {
    await this.pause(CONFIRM_MS);
    return (await this.status()).tablets.some((tablet) => tablet.alias === alias && tablet.diverged);
  }

  /** Waits until it is so; fails with `what`, a condition in words, when that takes too long. */
  until(condition: () => Promise<boolean>, what: string, timeoutMs = WHOLE_TIMEOUT_MS): Promise<void> {
    return until(timeoutMs, undefined, `Not so: ${what}`, condition);
  }

  /** Lets calls be made for a while. */
  async pause(ms: number, signal?: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal });
  }
}

function servingPrimary({ tablets }: ClusterStatus, shard: string): TabletStatus | undefined {
  return tablets.find((tablet) => tablet.shard === shard && tablet.role === "primary" && tablet.serving);
}
