// A backup on disk: a folder named after its time, with a copy of each shard, and a manifest that makes it complete.

import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  globSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ClusterProblem } from "../support/problem.ts";
import { giveToServers, writePrivateFile } from "../support/processes.ts";
import type { Settings } from "../topology/settings.ts";

const MANIFEST = "manifest.json";
const FORMAT = 1;

export interface Manifest {
  /** Of this file and the folders beside it; others are refused. */
  format: number;
  begunAt: string;
  vitess: string;
  mysql: string;
  /** Of vtgate's user; also what tells one cluster's backups from another's. */
  password: string;
  settings: Settings;
  shards: Record<string, ShardCopy>;
}

interface ShardCopy {
  /** Transactions that are in it; there may be later ones. */
  gtids: string;
  /** Paths below the shard's folder. */
  files: { path: string; bytes: number; sha256: string }[];
  folders: string[];
}

/** Describes what a shard's folder holds; reads all of it. */
export async function describeCopy(dir: string, gtids: string, signal: AbortSignal): Promise<ShardCopy> {
  const paths = readdirSync(dir, { encoding: "utf8", recursive: true });
  const isFolder = (path: string) => statSync(join(dir, path)).isDirectory();
  const files: ShardCopy["files"] = [];
  for (const path of paths.filter((path) => !isFolder(path))) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(dir, path)), hash, { signal });
    files.push({ path, bytes: statSync(join(dir, path)).size, sha256: hash.digest("hex") });
  }
  return { gtids, files, folders: paths.filter(isFolder) };
}

/** Copies a file and checks that it is what the manifest says; gives the copy to the servers. */
export async function copyChecked(
  set: string,
  shard: string,
  { path, sha256 }: ShardCopy["files"][number],
  target: string,
  signal: AbortSignal,
) {
  const source = join(set, shard, path);
  if (!existsSync(source)) throw new ClusterProblem(`The backup is damaged: ${source} is missing.`);
  const hash = createHash("sha256");
  const hashed = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(createReadStream(source), hashed, createWriteStream(target, { mode: 0o640 }), { signal });
  if (hash.digest("hex") !== sha256) throw new ClusterProblem(`The backup is damaged: ${source} has changed.`);
  giveToServers(target);
}

export function writeManifest(set: string, manifest: Omit<Manifest, "format">) {
  writePrivateFile(join(set, MANIFEST), JSON.stringify({ format: FORMAT, ...manifest }, undefined, 2));
}

/** The folder's complete backups, the latest last; those of one cluster, where its password is given. */
export function setsIn(folder: string, password?: string): string[] {
  return globSync(join(folder, "*", MANIFEST))
    .map(dirname)
    .filter((set) => !basename(set).endsWith(".partial"))
    .filter((set) => password === undefined || readManifest(set).password === password)
    .sort();
}

/** The backup in a folder, which is that folder itself or the latest of those in it. */
export function findSet(folder: string): { set: string; manifest: Manifest } {
  const set = existsSync(join(folder, MANIFEST)) ? folder : setsIn(folder).at(-1);
  if (set === undefined) throw new ClusterProblem(`There is no complete backup in ${folder}.`);
  const manifest = readManifest(set);
  if (manifest.format !== FORMAT) {
    throw new ClusterProblem(`The backup in ${set} has format ${manifest.format}; this version reads ${FORMAT}.`);
  }
  return { set, manifest };
}

function readManifest(set: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(set, MANIFEST), "utf8"));
  } catch (error) {
    throw new ClusterProblem(`The manifest of the backup in ${set} can't be read: ${(error as Error).message}`);
  }
}

/** What the copies of all shards hold, in MB. */
export function sizeMb({ shards }: Manifest): number {
  const files = Object.values(shards).flatMap((copy) => copy.files);
  return Math.ceil(files.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20);
}
