// What the parts of the section on kinds of calls have in common.

import type { Bar } from "../bars.ts";
import { clusterGroups, untilIdle } from "../cpu.ts";
import { figure, median } from "../report.ts";
import type { Rig } from "../rig.ts";

export const CONNECTIONS = 1_000;
const IDLE_TIMEOUT_MS = 15_000;

/** What a part has found out. */
export interface Part {
  data: Record<string, unknown>;
  bars: Bar[];
  markdown: string;
}

/** A server that is measured: this version, or the one that it is compared with. */
export interface Version {
  name: "now" | "before";
  url: string;
}

/** Waits until nothing is left of an earlier load. */
export async function idleCluster(rig: Rig): Promise<() => Promise<void>> {
  const pids = Object.values(clusterGroups(await rig.cluster())).flat();
  return () => untilIdle(pids, IDLE_TIMEOUT_MS, rig.signal);
}

/** What went wrong, a line for each name; none where nothing did. */
export function wrongLines(wrongs: [name: string, Record<string, number>][]): string[] {
  return wrongs.flatMap(([name, counts]) => {
    const each = Object.entries(counts).map(([what, count]) => `${figure(count)} × ${what}`);
    return each.length > 0 ? [`Wrong, ${name}: ${each.join(", ")}.`] : [];
  });
}

/** The median of a field over some of the measured rounds. */
export function medianOf<T>(rounds: T[], field: (round: T) => number): number {
  return median(rounds.map(field));
}
