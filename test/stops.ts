// In which order a tablet's two processes end. MySQL, when it is told to stop, ends a commit's wait for a replica and says
// that it is done: nobody may be there to pass that on.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { startTime } from "../vitess/support/processes.ts";

const LOOK_MS = 5;
/** A line of mysqld's own log, which begins with its time in UTC. */
const TOLD_TO_STOP = /^(\S+Z) .*Received SHUTDOWN/gm;

/** Watches a cluster's tablets; `end` says of each whether its mysqld was told to stop after its vttablet had ended. */
export function watchStops({ tablets }: ClusterStatus): { end: () => boolean[] } {
  const begun = Date.now();
  const lastSeen = tablets.map(() => begun);
  const look = () => {
    for (const [i, { pids }] of tablets.entries()) {
      const now = Date.now();
      if (pids.vttablet !== null && startTime(pids.vttablet) !== undefined) lastSeen[i] = now;
    }
  };
  const timer = setInterval(look, LOOK_MS);
  const end = () => {
    clearInterval(timer);
    look();
    return tablets.map(({ mysqlSocket }, i) => {
      const stops = stopsOf(join(dirname(mysqlSocket), "error.log")).filter((at) => at >= begun);
      return stops.length === 1 && (stops[0] as number) >= (lastSeen[i] as number);
    });
  };
  return { end };
}

function stopsOf(log: string): number[] {
  const text = existsSync(log) ? readFileSync(log, "utf8") : "";
  return [...text.matchAll(TOLD_TO_STOP)].map(([, time]) => Date.parse(time as string));
}
