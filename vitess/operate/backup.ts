// `backup`: copies every shard of a cluster while it serves.
//
// A copy is made by the MySQL server of a replica that has everything its primary had when the backup began. Each shard is
// copied as of one moment, one after the other: no write is to several shards, so there is nothing that would not fit.

import { existsSync, globSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RowDataPacket } from "mysql2/promise";
import { requireSpace } from "../install/cache.ts";
import { Cluster, changing, requireNoResharding } from "../run/folder.ts";
import { connected, dataMb } from "../run/mysqlds.ts";
import { type ClusterStatus, isHealthy, readStatus } from "../run/status.ts";
import { withLock } from "../support/lock.ts";
import { ClusterProblem } from "../support/problem.ts";
import { makeDataDir, reachableByServers, run } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import type { Settings } from "../topology/settings.ts";
import { type Tablet, VITESS_VERSION } from "../topology/topology.ts";
import { describeCopy, type Manifest, setsIn, writeManifest } from "./backup-set.ts";
import { cloneIntoFolder, followed } from "./clone.ts";

/** System tablespaces, undo and redo logs in the copy of a shard. */
const SHARD_DISK_MB = 250;

export interface BackupOptions {
  dataDir: string;
  /** Folder for it, with others if it holds some; by default `backups` in the data folder. */
  to?: string;
  /** How many of this cluster's backups to leave there, this one among them; all by default. */
  keep?: number;
}

/** Returns the new backup's folder. Until all of it is on disk, that has another name, which nothing restores from. */
export async function backup({ dataDir, to, keep }: BackupOptions, signal: AbortSignal): Promise<string> {
  process.umask(0o022);
  if (keep !== undefined && keep < 1) throw new ClusterProblem("--keep takes at least 1.");
  Cluster.load(dataDir);
  const folder = resolve(to ?? join(dataDir, "backups"));
  const onWait = (holder: number) =>
    console.error(`… waiting for process ${holder}, which makes a backup in ${folder}`);
  return await changing(dataDir, signal, async () => {
    const cluster = Cluster.load(dataDir);
    requireRoomIn(folder, cluster);
    return await withLock(join(folder, "backup.lock"), { signal, onWait }, async () => {
      // What interrupted ones have left.
      for (const partial of globSync(join(folder, "*.partial"))) rmSync(partial, { recursive: true });
      const set = await copyAll(cluster, folder, signal);
      if (keep) for (const old of setsIn(folder, cluster.password).slice(0, -keep)) rmSync(old, { recursive: true });
      return set;
    });
  });
}

function requireRoomIn(folder: string, cluster: Cluster) {
  const { shards } = cluster.topology;
  requireNoResharding(cluster);
  if (!reachableByServers(folder)) {
    throw new ClusterProblem(
      `The servers don't run as root, and the user that they run as can't enter ${folder}. Choose a folder that everyone can enter with --to.`,
    );
  }
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  requireSpace(
    folder,
    shards.reduce((sum, shard) => sum + dataMb(cluster, shard) + SHARD_DISK_MB, 0),
  );
}

async function copyAll(cluster: Cluster, folder: string, signal: AbortSignal): Promise<string> {
  const { password, settings, topology } = cluster;
  const begunAt = new Date().toISOString();
  const set = join(folder, begunAt.replaceAll(":", "-"));
  const partial = `${set}.partial`;
  makeDataDir(partial);
  try {
    const shards: Manifest["shards"] = {};
    let mysql = "";
    for (const shard of topology.shards) {
      // Anew for each: the copy of the one before may have taken hours.
      const source = chooseSource(cluster, await readStatus(cluster), shard);
      shards[shard] = await copyShard(source, partial, signal);
      mysql = await mysqlVersion(source.replica);
    }
    writeManifest(partial, { begunAt, vitess: VITESS_VERSION, mysql, password, settings: lasting(settings), shards });
    await step("write it to disk", () => flush(partial));
    renameSync(partial, set);
    await flush(folder);
    return set;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Without what is under way. */
function lasting({ portBase, tablets }: Settings): Settings {
  return { portBase, tablets };
}

interface Source {
  primary: Tablet;
  /** The primary itself, where there is no other. */
  replica: Tablet;
}

/** The replica that is furthest: it has least to do until it has everything. */
function chooseSource(cluster: Cluster, { tablets }: ClusterStatus, shard: string): Source {
  const ours = tablets
    .filter((tablet) => tablet.shard === shard && isHealthy(tablet))
    .sort((a, b) => (a.lagSeconds ?? 0) - (b.lagSeconds ?? 0));
  const find = (role: string) => {
    const alias = ours.find((tablet) => tablet.role === role)?.alias;
    return cluster.topology.tablets.find((tablet) => tablet.alias === alias);
  };
  const primary = find("primary");
  if (!primary) throw new ClusterProblem(`Shard ${shard} has no primary that serves. See 'status'.`);
  return { primary, replica: find("replica") ?? primary };
}

async function copyShard({ primary, replica }: Source, partial: string, signal: AbortSignal) {
  return await step(`back up shard ${primary.shard} from ${replica.alias}`, async (report) => {
    report("until it has everything");
    const gtids = await followed(primary, replica, signal);
    const dir = join(partial, primary.shard);
    await cloneIntoFolder(replica, dir, signal, report);
    report("checksums");
    return await describeCopy(dir, gtids, signal);
  });
}

async function mysqlVersion(tablet: Tablet): Promise<string> {
  const [[row]] = await connected(tablet, (connection) =>
    connection.query<RowDataPacket[]>("SELECT VERSION() AS version"),
  );
  return String(row?.version);
}

/** Returns once the folder's file system has everything on disk. */
async function flush(folder: string) {
  await run({ file: "sync", args: ["--file-system", folder] }, { keepUser: true });
}
