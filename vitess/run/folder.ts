// A cluster's data folder: what is written in it about the cluster, and the lock by which commands take turns.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { withLock } from "../support/lock.ts";
import { ClusterProblem } from "../support/problem.ts";
import { makeDataDir, Processes, writePrivateFile } from "../support/processes.ts";
import { newSettings, type Settings } from "../topology/settings.ts";
import { LOOPBACK, type Tablet, type Topology, topology, vtgateUsers } from "../topology/topology.ts";

const SETTINGS_FILE = "cluster.json";
const USERS_FILE = "vtgate-users.json";
const LOCK_FILE = "launcher.lock";
const CHANGE_LOCK_FILE = "change.lock";

export interface ClusterOptions {
  dataDir: string;
  /** For a new data folder; an existing one keeps what it was made with, and a different wish is an error. */
  shards?: number;
  tablets?: number;
  portBase?: number;
}

export const DEFAULTS = { shards: 2, tablets: 3, portBase: 15000 };

/** Everything about the cluster of one data folder. */
export class Cluster {
  readonly topology: Topology;
  readonly processes: Processes;

  private constructor(
    readonly dataDir: string,
    readonly settings: Settings,
    readonly password: string,
  ) {
    this.topology = topology(settings, { dataDir, bind: LOOPBACK, hostOf: () => LOOPBACK });
    this.processes = new Processes(dataDir);
  }

  /** Every tablet that may have processes or data. */
  get allTablets(): Tablet[] {
    const { tablets, retired, adding } = this.topology;
    return [...tablets, ...retired, ...(adding ? [adding] : [])];
  }

  static find(dataDir: string): Cluster | undefined {
    const file = join(dataDir, SETTINGS_FILE);
    if (!existsSync(file)) return undefined;
    const { settings, password } = JSON.parse(readFileSync(file, "utf8"));
    return new Cluster(dataDir, settings, password);
  }

  static load(dataDir: string): Cluster {
    const found = Cluster.find(dataDir);
    if (found) return found;
    throw new ClusterProblem(`There is no cluster in ${dataDir}. Start one with 'up', or name its folder with --data.`);
  }

  /** The folder's cluster, or a new one that is not written to it yet. */
  static open(options: ClusterOptions): Cluster {
    const { dataDir, shards, tablets, portBase } = options;
    const existing = Cluster.find(dataDir);
    if (!existing) {
      const settings = newSettings(
        shards ?? DEFAULTS.shards,
        tablets ?? DEFAULTS.tablets,
        portBase ?? DEFAULTS.portBase,
      );
      return Cluster.make(dataDir, settings, randomBytes(18).toString("base64url"));
    }
    const { settings, topology } = existing;
    const perShard = settings.tablets.filter(({ shard }) => shard === topology.shards[0]).length;
    for (const [flag, wanted, actual, how] of [
      ["--shards", shards, topology.shards.length, `change it with 'reshard ${shards}'`],
      ["--tablets", tablets, perShard, "change it with 'add-tablet' and 'remove-tablet'"],
      ["--port-base", portBase, settings.portBase, "choose another --data, or delete the cluster with 'reset'"],
    ] as const) {
      if (wanted !== undefined && wanted !== actual) {
        throw new ClusterProblem(
          `The cluster in ${dataDir} has ${flag} ${actual}, not ${wanted}. Leave the flag out, or ${how}.`,
        );
      }
    }
    return existing;
  }

  /** A new one, that is not written to its folder yet. */
  static make(dataDir: string, settings: Settings, password: string): Cluster {
    return new Cluster(dataDir, settings, password);
  }

  /** The same cluster with other settings. */
  with(settings: Settings): Cluster {
    return new Cluster(this.dataDir, settings, this.password);
  }

  /** Writes it to its folder; whoever reads meanwhile, or after a crash, finds the old settings or the new. */
  save() {
    makeDataDir(this.dataDir);
    for (const [name, content] of [
      [USERS_FILE, vtgateUsers(this.password)],
      [SETTINGS_FILE, JSON.stringify({ settings: this.settings, password: this.password }, undefined, 2)],
    ] as const) {
      const draft = join(this.dataDir, `${name}.draft`);
      rmSync(draft, { force: true });
      writePrivateFile(draft, content);
      renameSync(draft, join(this.dataDir, name));
    }
  }

  /** Deletes all that a cluster has made in its folder. */
  remove() {
    for (const { dir } of this.allTablets) rmSync(dir, { recursive: true, force: true });
    for (const name of ["etcd", "logs", "run", "backups", "extra.cnf", USERS_FILE, SETTINGS_FILE]) {
      rmSync(join(this.dataDir, name), { recursive: true, force: true });
    }
  }
}

/** Throws a ClusterProblem while the cluster is being resharded. */
export function requireNoResharding({ settings: { resharding } }: Cluster) {
  if (resharding) {
    throw new ClusterProblem(`The cluster is being resharded. Finish that first, with 'reshard ${resharding.length}'.`);
  }
}

/** Runs `work` while no other command changes which tablets there are, or copies them; others may start and stop them. */
export function changing<T>(dataDir: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const onWait = (holder: number) =>
    console.error(`… waiting for process ${holder}, which is changing or copying this cluster`);
  return withLock(join(dataDir, CHANGE_LOCK_FILE), { signal, onWait }, work);
}

/** Runs `work` while no other command starts or stops processes of the folder's cluster. */
export function exclusively<T>(dataDir: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const onWait = (holder: number) =>
    console.error(`… waiting for process ${holder}, which is starting or stopping this cluster`);
  return withLock(join(dataDir, LOCK_FILE), { signal, onWait }, work);
}
