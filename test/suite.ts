// What the tests run against: a cluster, a plain MySQL, a server over each, one on Deno and the Worker, on ports and in a
// folder of their own. Either for one run of the suite, or kept until `npm run test:down`.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterExists, reset, up } from "../vitess/run/cluster.ts";
import { DENO_SERVER, startServer, WORKER } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { startTime } from "../vitess/support/processes.ts";
import { step } from "../vitess/support/progress.ts";
import {
  ALERTS_DIR,
  BACKUPS_DIR,
  CONTAINER_DIR,
  FAILOVER_DIR,
  KEPT_FILE,
  LAUNCHER_DIR,
  OPERATIONS_DIR,
  PROBLEMS_DIR,
  RESHARD_DIR,
  ROBUSTNESS_DIR,
  SUITE_DIR,
  WRONG_DIR,
} from "./folders.ts";
import { startPlainMysql } from "./mysqld.ts";

const PORT_BASE = 17000;
const PORTS = {
  mysql: PORT_BASE + 900,
  overVitess: PORT_BASE + 901,
  overMysql: PORT_BASE + 902,
  deno: PORT_BASE + 903,
};
const FOLDERS = [
  ...[SUITE_DIR, FAILOVER_DIR, LAUNCHER_DIR, RESHARD_DIR, CONTAINER_DIR],
  ...[OPERATIONS_DIR, BACKUPS_DIR, ROBUSTNESS_DIR, PROBLEMS_DIR, WRONG_DIR, ALERTS_DIR],
];
const END_TIMEOUT_MS = 60_000;

export interface Targets {
  /** The server uses all vtgates; `databaseUrl` leads to the first. */
  vitess: { url: string; databaseUrl: string; status: ClusterStatus };
  mysql: { url: string; databaseUrl: string; socket: string };
  worker: { url: string };
  /** Over Vitess, as the Worker is. */
  deno: { url: string };
}

/** What `npm run test:up` has left running. */
export interface Kept {
  /** The process that stops all of it at SIGTERM, and when that was started: another may have its id one day. */
  pid: number;
  start: string | undefined;
  /** Once all of it serves. */
  targets?: Targets;
}

export interface Suite {
  targets: Targets;
  stop: () => Promise<void>;
}

/**
 * Starts everything, and stops what it has started where that fails. With `watch` the servers on Bun, and the
 * Worker, begin again whenever a file of theirs is saved.
 */
export async function startSuite(signal: AbortSignal, { watch = false } = {}): Promise<Suite> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.reverse()) await each();
  };
  try {
    stops.push(clear);
    await clear();
    const { status } = await up({ dataDir: SUITE_DIR, portBase: PORT_BASE }, signal);
    const mysql = await startPlainMysql(join(SUITE_DIR, "plain"), PORTS.mysql, signal);
    stops.push(mysql.stop);
    const start = async (databaseUrl: string, port: number, program?: string) => {
      const environment = { DATABASE_URL: databaseUrl, PORT: String(watch ? port : 0) };
      // wrangler watches by itself, and Deno's watcher goes on when what it watches has ended.
      const isWatched = watch && program === undefined;
      const server = await startServer(environment, program, isWatched ? ["--watch"] : []);
      stops.push(server.stop);
      return server;
    };
    const [overVitess, overMysql, worker, deno] = await step("servers and migrations", async () => {
      const overVitess = await start(status.url, PORTS.overVitess);
      return [
        overVitess,
        await start(mysql.databaseUrl, PORTS.overMysql),
        await start(status.url, 0, WORKER),
        await start(status.url, PORTS.deno, DENO_SERVER),
      ] as const;
    });
    const targets = {
      vitess: { url: overVitess.url, databaseUrl: status.vtgates[0].url, status },
      mysql: { url: overMysql.url, databaseUrl: mysql.databaseUrl, socket: mysql.socket },
      worker: { url: worker.url },
      deno: { url: deno.url },
    };
    return { targets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Stops and deletes what a run, or an earlier one that was killed, has made. */
export async function clear() {
  for (const dir of FOLDERS) {
    if (clusterExists(dir)) await reset(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What is kept running, if anything is. */
export function kept(): Kept | undefined {
  if (!existsSync(KEPT_FILE)) return undefined;
  const kept: Kept = JSON.parse(readFileSync(KEPT_FILE, "utf8"));
  return isAlive(kept) ? kept : undefined;
}

/** Tells that this process keeps everything running. */
export function keep(targets?: Targets) {
  const { pid } = process;
  writeFileSync(KEPT_FILE, JSON.stringify({ pid, start: startTime(pid), targets } satisfies Kept));
}

/** Ends what is kept running; false if nothing is. */
export async function endKept(): Promise<boolean> {
  const found = kept();
  if (found) {
    process.kill(found.pid, "SIGTERM");
    const deadline = Date.now() + END_TIMEOUT_MS;
    while (isAlive(found)) {
      if (Date.now() > deadline) throw new Error(`process ${found.pid} does not end`);
      await sleep(50);
    }
  }
  rmSync(KEPT_FILE, { force: true });
  return found !== undefined;
}

function isAlive({ pid, start }: Kept): boolean {
  return start !== undefined && startTime(pid) === start;
}
