// A lock file with its holder's process id: one installer for the cache, one launcher for a data folder.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";

/** Runs `work` while holding the lock; waits for a live holder, after telling `onWait`, takes over from a dead one. */
export async function withLock<T>(
  file: string,
  options: { signal?: AbortSignal; onWait?: (holder: number) => void },
  work: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!acquire(file)) {
    const holder = holderOf(file);
    if (holder === undefined) continue;
    if (!isAlive(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) options.onWait?.(holder);
    told = true;
    await sleep(200, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function acquire(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Undefined when the lock has just been released. */
function holderOf(file: string): number | undefined {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
