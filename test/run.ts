// `npm test`: starts a cluster, a plain MySQL and servers on ports and in a folder of their own, runs the suite
// against them, stops everything whatever happens, and prints the runner's counts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterExists, reset, up } from "../vitess/cluster.ts";
import { ClusterProblem } from "../vitess/problem.ts";
import { step } from "../vitess/progress.ts";
import { startPlainMysql } from "./mysqld.ts";
import { startServer } from "./server.ts";
import type { Targets } from "./targets.ts";

const PORT_BASE = 17000;
const MYSQL_PORT = PORT_BASE + 900;
/** Short, for the sockets in it; a run that was killed leaves it, and the next one clears it up. */
const DATA_DIR = join(tmpdir(), `vitess-kv-test-${process.getuid?.() ?? 0}`);

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

async function startTargets(): Promise<Targets> {
  const clear = async () => {
    if (clusterExists(DATA_DIR)) await reset(DATA_DIR);
    rmSync(DATA_DIR, { recursive: true, force: true });
  };
  await clear();
  stops.push(clear);
  const { status } = await up({ dataDir: DATA_DIR, portBase: PORT_BASE }, stop.signal);
  const mysql = await startPlainMysql(join(DATA_DIR, "plain"), MYSQL_PORT, stop.signal);
  stops.push(mysql.stop);
  const [overVitess, overMysql] = await step("servers and migrations", () =>
    Promise.all([startServer({ DATABASE_URL: status.url }), startServer({ DATABASE_URL: mysql.databaseUrl })]),
  );
  stops.push(overVitess.stop, overMysql.stop);
  return {
    vitess: { url: overVitess.url, databaseUrl: status.url, status },
    mysql: { url: overMysql.url, databaseUrl: mysql.databaseUrl, socket: mysql.socket },
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
