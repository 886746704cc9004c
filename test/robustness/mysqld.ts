// Starts a tablet's mysqld as it ran before, without the launcher: at once, as a process manager does, or with a clock of
// its own.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../vitess/run/folder.ts";
import { connected } from "../../vitess/run/mysqlds.ts";
import { stopTablets } from "../../vitess/run/stop.ts";
import { run } from "../../vitess/support/processes.ts";
import { until } from "../../vitess/support/until.ts";
import type { Tablet } from "../../vitess/topology/topology.ts";

const POLL_MS = 10;
const START_MS = 60_000;
const TRY_MS = 10_000;

/** Kills it and starts it as soon as it is gone. Does not wait until it serves. */
export async function restartAtOnce({ processes }: Cluster, name: string) {
  const [file, ...args] = commandOf(processes.pid(name));
  const pid = processes.pid(name) as number;
  process.kill(pid, "SIGKILL");
  while (processes.pid(name) === pid) await sleep(POLL_MS);
  processes.start(name, { file, args });
}

/** Stops both processes of a tablet, and starts its mysqld behind what is put before its command. */
export async function restartBehind(cluster: Cluster, tablet: Tablet, [file, ...before]: [string, ...string[]]) {
  const command = commandOf(cluster.processes.pid(tablet.mysqld));
  await stopTablets(cluster, [tablet], () => {});
  cluster.processes.start(tablet.mysqld, { file, args: [...before, ...command] });
  const answers = () =>
    connected(tablet, (connection) => connection.query("SELECT 1")).then(
      () => true,
      () => false,
    );
  await until(START_MS, undefined, `${tablet.mysqld} does not answer`, answers);
}

/** Makes a mysqld that runs behind these words say its version; throws where it can't. */
export async function tryBehind({ processes, topology }: Cluster, [file, ...before]: [string, ...string[]]) {
  const pid = topology.tablets.map(({ mysqld }) => processes.pid(mysqld)).find((pid) => pid !== undefined);
  const command = commandOf(pid);
  // Before its own arguments may be a loader's.
  const program = command.slice(
    0,
    command.findIndex((word) => word.startsWith("--defaults-file")),
  );
  await run({ file, args: [...before, ...program, "--version"] }, { signal: AbortSignal.timeout(TRY_MS) });
}

function commandOf(pid: number | undefined): [string, ...string[]] {
  if (pid === undefined) throw new Error("a mysqld that is to be started again does not run");
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1) as [string, ...string[]];
}
