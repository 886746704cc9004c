// A lock file with its holder's process id: one installer for the cache, one launcher for a data folder.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";

/** Runs `work` while holding the lock; waits for a live holder, takes over from a dead one. */
export async function withLock<T>(
  file: string,
  options: { signal?: AbortSignal; onWait: (holder: number) => void },
  work: () => Promise<T>,
): Promise<T> {
  while (!acquire(file)) {
    const holder = Number(readFileSync(file, "utf8"));
    if (isAlive(holder)) options.onWait(holder);
    else rmSync(file, { force: true });
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
