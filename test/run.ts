// `npm test`: starts a cluster, a plain MySQL, servers and the Worker on ports and in a folder of their own, runs the suite
// against them, stops everything whatever happens, and prints the runner's counts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { clusterExists, reset, up } from "../vitess/run/cluster.ts";
import { ClusterProblem } from "../vitess/support/problem.ts";
import { step } from "../vitess/support/progress.ts";
import {
  BACKUPS_DIR,
  FAILOVER_DIR,
  LAUNCHER_DIR,
  OPERATIONS_DIR,
  PROBLEMS_DIR,
  RESHARD_DIR,
  ROBUSTNESS_DIR,
  SUITE_DIR,
} from "./folders.ts";
import { startPlainMysql } from "./mysqld.ts";
import { startServer, WORKER } from "./server.ts";
import type { Targets } from "./targets.ts";

const PORT_BASE = 17000;
const MYSQL_PORT = PORT_BASE + 900;

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

const stops: (() => Promise<void>)[] = [];
let outcome: { code: number; counts?: string };
try {
  const targets = await startTargets();
  outcome = await runSuite(targets, process.argv.slice(2));
} catch (error) {
  if (!stop.signal.aborted) console.error(error instanceof ClusterProblem ? error.message : error);
  outcome = { code: stop.signal.aborted ? 130 : 1 };
}
for (const each of stops.reverse()) await each();
if (outcome.counts) console.log(outcome.counts);
process.exit(outcome.code);

/** Stops and deletes what this run, or an earlier one that was killed, has made. */
async function clear() {
  for (const dir of [
    SUITE_DIR,
    FAILOVER_DIR,
    LAUNCHER_DIR,
    RESHARD_DIR,
    OPERATIONS_DIR,
    BACKUPS_DIR,
    ROBUSTNESS_DIR,
    PROBLEMS_DIR,
  ]) {
    if (clusterExists(dir)) await reset(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function startTargets(): Promise<Targets> {
  await clear();
  stops.push(clear);
  const { status } = await up({ dataDir: SUITE_DIR, portBase: PORT_BASE }, stop.signal);
  const mysql = await startPlainMysql(join(SUITE_DIR, "plain"), MYSQL_PORT, stop.signal);
  stops.push(mysql.stop);
  const start = async (databaseUrl: string, program?: string) => {
    const server = await startServer({ DATABASE_URL: databaseUrl }, program);
    stops.push(server.stop);
    return server;
  };
  const [overVitess, overMysql, worker] = await step("servers and migrations", async () => {
    const overVitess = await start(status.url);
    return [overVitess, await start(mysql.databaseUrl), await start(status.url, WORKER)] as const;
  });
  return {
    vitess: { url: overVitess.url, databaseUrl: status.vtgates[0].url, status },
    mysql: { url: overMysql.url, databaseUrl: mysql.databaseUrl, socket: mysql.socket },
    worker: { url: worker.url },
  };
}

async function runSuite(targets: Targets, patterns: string[]) {
  const suite = spawn(process.execPath, ["test", "--timeout=120000", ...patterns], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, KV_TEST_TARGETS: JSON.stringify(targets) },
  });
  stop.signal.addEventListener("abort", () => suite.kill("SIGTERM"));
  // Bun reports on stderr.
  let report = "";
  suite.stderr.setEncoding("utf8").on("data", (chunk) => {
    report += chunk;
    process.stderr.write(chunk);
  });
  const [code] = await once(suite, "close");
  stop.signal.throwIfAborted();
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(report)?.[1] ?? 0);
  const [passed, failed, skipped] = [count("pass"), count("fail"), count("skip")];
  return {
    code: code === 0 && failed === 0 && passed > 0 ? 0 : 1,
    counts: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  };
}
