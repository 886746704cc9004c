// A plain MySQL server for the tests: what DATABASE_URL may name instead of a vtgate.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { installDebian } from "../vitess/install/debian.ts";
import { findParts } from "../vitess/install/parts.ts";
import { makeDataDir, Processes, run } from "../vitess/support/processes.ts";
import { step } from "../vitess/support/progress.ts";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

export interface PlainMysql {
  databaseUrl: string;
  socket: string;
  stop: () => Promise<void>;
  /** With other options; what is in it stays. */
  restart: (...options: string[]) => Promise<void>;
}

/** Starts an empty server with an empty database `kv`. Its time zone is not UTC, as on many a laptop. */
export async function startPlainMysql(dataDir: string, port: number, signal: AbortSignal): Promise<PlainMysql> {
  const parts = await findParts(signal);
  makeDataDir(dataDir);
  const processes = new Processes(dataDir);
  const socket = join(dataDir, "mysql.sock");
  const files = [`--datadir=${dataDir}/data`, ...parts.mysqlFiles.map((line) => `--${line}`)];
  const mysqld = (...args: string[]) => ({ file: parts.programs.mysqld, args: ["--no-defaults", ...files, ...args] });
  const start = async (...options: string[]) => {
    processes.start(
      "mysqld",
      mysqld(
        "--bind-address=127.0.0.1",
        `--port=${port}`,
        `--socket=${socket}`,
        "--mysqlx=OFF",
        "--innodb-buffer-pool-size=256M",
        "--default-time-zone=+05:30",
        ...options,
      ),
    );
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await createDatabase(socket).catch(() => false))) {
      signal.throwIfAborted();
      if (Date.now() > deadline) throw new Error(`mysqld did not start:\n${processes.logTail("mysqld")}`);
      await sleep(200);
    }
  };
  const stop = () => processes.stop("mysqld", STOP_TIMEOUT_MS);
  await step("a plain MySQL server", async () => {
    await run(mysqld("--initialize-insecure"), { signal });
    await start();
  });
  return {
    databaseUrl: `mysql://kv:kv@127.0.0.1:${port}/kv`,
    socket,
    stop,
    restart: async (...options) => {
      await stop();
      await start(...options);
    },
  };
}

/** Starts a MariaDB, which lets everybody in, with an empty database `kv`. */
export async function startMariaDb(dataDir: string, port: number, signal: AbortSignal) {
  const prefix = await installDebian({ "mariadb-server-core": ["sbin/mariadbd"] }, signal);
  makeDataDir(dataDir);
  makeDataDir(join(dataDir, "data"));
  makeDataDir(join(dataDir, "data/kv"));
  const processes = new Processes(dataDir);
  const args = [
    ...["--no-defaults", `--datadir=${dataDir}/data`, `--lc-messages-dir=${prefix}/usr/share/mariadb`],
    ...["--skip-grant-tables", "--skip-networking=0", "--bind-address=127.0.0.1", `--port=${port}`],
    ...[`--socket=${dataDir}/mysql.sock`, `--character-sets-dir=${prefix}/usr/share/mariadb/charsets`],
    ...["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"],
  ];
  processes.start("mariadbd", { file: join(prefix, "sbin/mariadbd"), args });
  const url = `mysql://kv@127.0.0.1:${port}/kv`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  const answers = () => createConnection(url).then((connection) => connection.end().then(() => true));
  while (!(await answers().catch(() => false))) {
    signal.throwIfAborted();
    if (Date.now() > deadline) throw new Error(`mariadbd did not start:\n${processes.logTail("mariadbd")}`);
    await sleep(200);
  }
  return { databaseUrl: url, stop: () => processes.stop("mariadbd", STOP_TIMEOUT_MS) };
}

async function createDatabase(socketPath: string): Promise<true> {
  const connection = await createConnection({ socketPath, user: "root" });
  try {
    await connection.query("CREATE DATABASE IF NOT EXISTS kv");
    await connection.query("CREATE USER IF NOT EXISTS kv@'127.0.0.1' IDENTIFIED BY 'kv'");
    await connection.query("GRANT ALL ON kv.* TO kv@'127.0.0.1'");
    return true;
  } finally {
    connection.destroy();
  }
}
