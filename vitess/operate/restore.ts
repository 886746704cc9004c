// `restore`: makes a new cluster that holds what a backup does.
//
// Every tablet begins with a copy of its shard, so that vtorc may choose any as the primary. Until all of them serve,
// cluster.json says that the cluster is being restored: it is not started otherwise, and another restore begins anew.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { findParts, mysqlVersion } from "../install/parts.ts";
import { untilServing } from "../run/cluster.ts";
import { Cluster, exclusively } from "../run/folder.ts";
import { type Fill, stopMysqld } from "../run/mysqlds.ts";
import { requireRoom } from "../run/room.ts";
import { startProcesses } from "../run/start.ts";
import type { ClusterStatus } from "../run/status.ts";
import { stopAll } from "../run/stop.ts";
import { ClusterProblem } from "../support/problem.ts";
import { makeDataDir } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import { newSettings, type Settings, withServed } from "../topology/settings.ts";
import type { Tablet } from "../topology/topology.ts";
import { copyChecked, findSet, type Manifest, sizeMb } from "./backup-set.ts";
import { forgetSource } from "./clone.ts";

export interface RestoreOptions {
  /** A backup's folder, or a folder of several, of which the latest is taken. */
  from: string;
  /** New or empty, or with a restore that was cut off. */
  dataDir: string;
  /** By default those that the cluster had. */
  tablets?: number;
  portBase?: number;
}

/** Returns once the cluster serves. What fails or is interrupted leaves nothing behind. */
export async function restore(options: RestoreOptions, signal: AbortSignal): Promise<ClusterStatus> {
  process.umask(0o022);
  const { dataDir } = options;
  const { set, manifest } = findSet(resolve(options.from));
  requireFreeFolder(dataDir);
  const settings = settingsOf(manifest, options);
  const parts = await findParts(signal);
  requireSameMysql(manifest, mysqlVersion(parts));
  makeDataDir(dataDir);
  return await exclusively(dataDir, signal, async () => {
    requireFreeFolder(dataDir);
    const cut = Cluster.find(dataDir);
    if (cut) await discard(cut);
    const cluster = Cluster.make(dataDir, { ...settings, restoring: true }, manifest.password);
    const perShard = settings.tablets.length / cluster.topology.shards.length;
    requireRoom(cluster, Math.ceil(sizeMb(manifest) * perShard));
    cluster.save();
    try {
      const ready = () => step("every tablet serves", (report) => untilServing(cluster, report, signal));
      const status = await startProcesses(cluster, parts, signal, ready, fillFrom(set, manifest, cluster));
      cluster.with(withServed(settings)).save();
      return status;
    } catch (error) {
      await discard(cluster);
      throw error;
    }
  });
}

async function discard(cluster: Cluster) {
  await stopAll(cluster);
  cluster.remove();
}

function requireFreeFolder(dataDir: string) {
  const existing = Cluster.find(dataDir);
  if (existing?.settings.restoring) return;
  if (existing) {
    throw new ClusterProblem(
      `There is a cluster in ${dataDir} already. Choose another folder with --data, or delete that cluster with 'reset'.`,
    );
  }
  const files = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => !name.endsWith(".lock")) : [];
  if (files.length > 0) {
    throw new ClusterProblem(`${dataDir} is not empty. Choose a new or empty folder with --data.`);
  }
}

function settingsOf(
  { settings, shards }: Manifest,
  { tablets, portBase = settings.portBase }: RestoreOptions,
): Settings {
  return tablets === undefined
    ? { portBase, tablets: settings.tablets.map(({ uid, shard }) => ({ uid, shard })) }
    : newSettings(Object.keys(shards).length, tablets, portBase);
}

/** A copy of a server that ran can be started by the same series of MySQL only. */
function requireSameMysql({ mysql }: Manifest, ours: string) {
  const series = (version: string) => /^\d+\.\d+/.exec(version)?.[0];
  if (series(mysql) !== series(ours)) {
    throw new ClusterProblem(
      `The backup is of MySQL ${series(mysql)}, and this is ${series(ours)}. Restore it with that, and change the version afterwards.`,
    );
  }
}

/** Puts the copy of its shard in the place of what a new tablet's mysqld holds. */
function fillFrom(set: string, { shards }: Manifest, { processes }: Cluster): Fill {
  return async (tablet, start, signal) => {
    await stopMysqld(processes, tablet);
    await step(`restore ${tablet.alias}`, async (report) => {
      const { files = [], folders = [] } = shards[tablet.shard] ?? {};
      for (const dir of ["data", "innodb/data", "innodb/logs", "bin-logs", "relay-logs"]) {
        rmSync(join(tablet.dir, dir), { recursive: true });
        makeDataDir(join(tablet.dir, dir));
      }
      for (const path of folders) makeDataDir(placeOf(tablet, path));
      const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
      let done = 0;
      for (const file of files) {
        report(`${Math.floor(done / 1e6)} of ${Math.floor(all / 1e6)} MB`);
        await copyChecked(set, tablet.shard, file, placeOf(tablet, file.path), signal);
        done += file.bytes;
      }
      report("start");
      await start();
      await forgetSource(tablet);
    });
  };
}

/** A copy has in one folder what mysqlctl's my.cnf keeps in three. */
function placeOf({ dir }: Tablet, path: string): string {
  if (path === "ibdata1") return join(dir, "innodb/data", path);
  return join(dir, path.startsWith("#innodb_redo") ? "innodb/logs" : "data", path);
}
