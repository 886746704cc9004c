// How much of the machine processes use: cores of each group during a measurement, and memory.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterStatus } from "../vitess/run/status.ts";

/** Ids of processes by the name under which their use is reported. */
export type Groups = Record<string, (number | null)[]>;

/** Cores by group: 1.5 is one and a half cores busy throughout. */
export type Cores = Record<string, number>;

/** The unit of times under /proc, the same for every program on every Linux machine. */
const TICKS_PER_SECOND = 100;

/** Less than this, over this long, is what systems use that nobody calls: the cluster watches itself. */
const IDLE_CORES = 0.5;
const IDLE_SECONDS = 0.5;

/** The cluster's processes. */
export function clusterGroups({ vtgates, vtctld, vtorc, etcd, tablets }: ClusterStatus): Groups {
  return {
    vtgates: vtgates.map(({ pid }) => pid),
    vttablets: tablets.map(({ pids }) => pids.vttablet),
    mysqlds: tablets.map(({ pids }) => pids.mysqld),
    "vtctld, vtorc, etcd": [vtctld.pid, vtorc.pid, etcd.pid],
  };
}

/**
 * Runs a load and returns its result with the cores that each group used, the load generator among them, and `others`:
 * what else kept the machine busy. On a quiet one that is the kernel's own work, a few tenths of a core.
 */
export async function withCores<T extends { cpuSeconds: number }>(
  groups: Groups,
  load: () => Promise<T>,
): Promise<{ result: T; cores: Cores }> {
  const begun = performance.now();
  const [before, machineBefore] = [groupSeconds(groups), machineSeconds()];
  const result = await load();
  const seconds = (performance.now() - begun) / 1000;
  const [after, machineAfter] = [groupSeconds(groups), machineSeconds()];
  const cores: Cores = { "load generator": result.cpuSeconds / seconds };
  for (const group of Object.keys(groups)) cores[group] = ((after[group] ?? 0) - (before[group] ?? 0)) / seconds;
  const accounted = Object.values(cores).reduce((sum, used) => sum + used, 0);
  return { result, cores: { ...cores, others: (machineAfter - machineBefore) / seconds - accounted } };
}

/** What these groups use together. */
export function coresOf(groups: Groups, cores: Cores): number {
  return Object.keys(groups).reduce((sum, group) => sum + (cores[group] ?? 0), 0);
}

/** Waits, for `timeoutMs` at most, until the processes have done what they were still at when their load ended. */
export async function untilIdle(pids: Groups[string], timeoutMs: number, signal: AbortSignal) {
  const total = () => groupSeconds({ pids }).pids as number;
  const deadline = performance.now() + timeoutMs;
  for (let before = total(); performance.now() < deadline; ) {
    await sleep(1000 * IDLE_SECONDS, undefined, { signal });
    const now = total();
    if (now - before < IDLE_CORES * IDLE_SECONDS) return;
    before = now;
  }
}

/** Of a process, as the kernel counts what of it is in memory. */
export function memoryMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function groupSeconds(groups: Groups): Record<string, number> {
  const total = (pids: Groups[string]) =>
    pids.reduce<number>((sum, pid) => sum + (pid === null ? 0 : processSeconds(pid)), 0);
  return Object.fromEntries(Object.entries(groups).map(([group, pids]) => [group, total(pids)]));
}

/** User and system time of a process and all its threads, in seconds. Throws when it is gone. */
function processSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command, field 2, is in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Time that all cores together were busy since the machine's start: all but idle, waiting for disks, and stolen. */
function machineSeconds(): number {
  const [, user, nice, system, , , irq, softirq] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "")
    .split(/ +/)
    .map(Number) as [number, number, number, number, number, number, number, number];
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
