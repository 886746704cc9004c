// A plain MySQL server for the tests: what DATABASE_URL may name instead of a vtgate.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { findParts } from "../vitess/install/parts.ts";
import { makeDataDir, Processes, run } from "../vitess/support/processes.ts";
import { step } from "../vitess/support/progress.ts";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** Starts an empty server with an empty database `kv`. Its time zone is not UTC, as on many a laptop. */
export async function startPlainMysql(dataDir: string, port: number, signal: AbortSignal) {
  const parts = await findParts(signal);
  makeDataDir(dataDir);
  const processes = new Processes(dataDir);
  const socket = join(dataDir, "mysql.sock");
  const files = [`--datadir=${dataDir}/data`, ...parts.mysqlFiles.map((line) => `--${line}`)];
  const mysqld = (...args: string[]) => ({ file: parts.programs.mysqld, args: ["--no-defaults", ...files, ...args] });
  await step("a plain MySQL server", async () => {
    await run(mysqld("--initialize-insecure"), { signal });
    processes.start(
      "mysqld",
      mysqld(
        "--bind-address=127.0.0.1",
        `--port=${port}`,
        `--socket=${socket}`,
        "--mysqlx=OFF",
        "--innodb-buffer-pool-size=256M",
        "--default-time-zone=+05:30",
      ),
    );
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const created = await createDatabase(socket).catch(() => false);
      if (created) return;
      signal.throwIfAborted();
      if (Date.now() > deadline) throw new Error(`mysqld did not start:\n${processes.logTail("mysqld")}`);
      await sleep(200);
    }
  });
  return {
    databaseUrl: `mysql://kv:kv@127.0.0.1:${port}/kv`,
    socket,
    stop: () => processes.stop("mysqld", STOP_TIMEOUT_MS),
  };
}

async function createDatabase(socketPath: string): Promise<true> {
  const connection = await createConnection({ socketPath, user: "root" });
  try {
    await connection.query("CREATE DATABASE kv");
    await connection.query("CREATE USER kv@'127.0.0.1' IDENTIFIED BY 'kv'");
    await connection.query("GRANT ALL ON kv.* TO kv@'127.0.0.1'");
    return true;
  } finally {
    connection.destroy();
  }
}
