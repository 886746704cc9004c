// The folder in which installed programs are kept. Each part of it is filled once, whole or not at all.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { withLock } from "../support/lock.ts";
import { ClusterProblem } from "../support/problem.ts";
import { reachableByServers } from "../support/processes.ts";
import { step } from "../support/progress.ts";

/** Where installed parts are kept. Root's own ~/.cache is closed to the user that the servers run as. */
function cacheDir(): string {
  const dir = resolve(
    process.env.KV_CACHE_DIR ||
      (process.getuid?.() === 0
        ? "/var/cache/vitess-kv"
        : join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "vitess-kv")),
  );
  if (!reachableByServers(dir)) {
    throw new ClusterProblem(
      `The servers don't run as root, and the user that they run as can't enter ${dir}. Set KV_CACHE_DIR to a folder that everyone can enter.`,
    );
  }
  return dir;
}

/** Fills a folder of the cache once: into a partial folder, renamed when complete, while a lock keeps others waiting. */
export async function install(
  name: string,
  title: string,
  freeMb: number,
  signal: AbortSignal,
  fill: (partial: string, report: (detail: string) => void) => Promise<void>,
): Promise<string> {
  const dir = join(cacheDir(), name);
  if (existsSync(dir)) return dir;
  await step(`${title} (once)`, async (report) => {
    mkdirSync(dirname(dir), { recursive: true });
    requireSpace(dirname(dir), freeMb);
    const onWait = (holder: number) => report(`process ${holder} is at it already`);
    await withLock(`${dir}.lock`, { signal, onWait }, async () => {
      if (existsSync(dir)) return;
      const partial = `${dir}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial);
      await fill(partial, report);
      renameSync(partial, dir);
    });
  });
  return dir;
}

/** Fails with a sentence when the disk that holds `dir` has less than `mb` MB left. */
export function requireSpace(dir: string, mb: number) {
  const { bavail, bsize } = statfsSync(dir);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < mb) {
    throw new ClusterProblem(
      `${dir} has ${free} MB free and ${mb} MB are needed. Free some space or choose another folder.`,
    );
  }
}

/** A short name for what a part was made from. */
export function hash(text: string) {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
