// A lock file that names its holder: one installer for the cache, one launcher for a data folder.

import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startTime } from "./processes.ts";

const POLL_MS = 200;
/** Taking over takes microseconds; who has not finished by then never will. */
const TAKEOVER_MS = 10_000;

/** Runs `work` while holding the lock; waits for a live holder, after telling `onWait`, takes over from a dead one. */
export async function withLock<T>(
  file: string,
  options: { signal?: AbortSignal; onWait?: (holder: number) => void },
  work: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!acquire(file)) {
    const holder = read(file);
    if (holder !== undefined && !isLive(holder)) {
      takeOver(file, holder);
      continue;
    }
    if (holder !== undefined && !told) options.onWait?.(Number(holder.split(" ")[0]));
    told = told || holder !== undefined;
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** A link appears with its content, so that nobody reads a lock whose holder is not written yet. */
function acquire(file: string): boolean {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, `${process.pid} ${startTime(process.pid)}`);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/** `PID START`; undefined when the lock has just been released. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function isLive(holder: string): boolean {
  const [pid, start] = holder.split(" ");
  return start !== undefined && startTime(Number(pid)) === start;
}

/** Removes a dead holder's lock; a second lock sees to it that nobody removes the one that comes after. */
function takeOver(file: string, holder: string) {
  const guard = `${file}.takeover`;
  try {
    mkdirSync(guard);
  } catch {
    const since = statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - since > TAKEOVER_MS) rmdirSync(guard);
    return;
  }
  try {
    if (read(file) === holder) rmSync(file, { force: true });
  } finally {
    rmdirSync(guard);
  }
}
