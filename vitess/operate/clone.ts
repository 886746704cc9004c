// Copies what a MySQL server holds while it runs, by MySQL's own clone plugin: into a folder, or into another server.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { connected, mysqldRuns, STOP_TIMEOUT_MS } from "../run/mysqlds.ts";
import { ClusterProblem } from "../support/problem.ts";
import type { Processes } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { LOOPBACK, type Tablet } from "../topology/topology.ts";

const POLL_MS = 500;
/** A replica that replicates is seconds behind; one that has lost its primary would be waited for in vain. */
const FOLLOW_TIMEOUT_MS = 600_000;
/** Made for one copy, and deleted after it. */
const USER = "'vt_clone'@'%'";
/** A server with new data has to be restarted, and can't do it by itself. */
const RESTART_FAILED = 3707;
const CONNECTION_LOST = ["PROTOCOL_CONNECTION_LOST", "ECONNRESET", "EPIPE"];

type Report = (detail: string) => void;

/** Copies the server's data into a new folder, all of it as of one moment before this returns. Nothing waits for it. */
export async function cloneIntoFolder(tablet: Tablet, dir: string, signal: AbortSignal, report: Report) {
  await requireClone(tablet);
  await clone(tablet, "CLONE LOCAL DATA DIRECTORY = ?", [dir], signal, report);
}

/**
 * Replaces what the recipient holds by what the donor does, and starts it again with `start`: it then has the donor's
 * position, and is no replica of anything yet.
 */
export async function cloneFrom(
  { primary, donor, recipient }: { primary: Tablet; donor: Tablet; recipient: Tablet },
  processes: Processes,
  start: () => Promise<void>,
  signal: AbortSignal,
  report: Report,
) {
  await requireClone(donor);
  const password = randomBytes(18).toString("base64url");
  // Where there is no replica to acknowledge it, what is logged would wait for one.
  const logging = donor === primary ? "SET sql_log_bin = OFF" : "SET sql_log_bin = ON";
  await connected(primary, async (connection) => {
    await connection.query(logging);
    await connection.query(`DROP USER IF EXISTS ${USER}`);
    await connection.query(`CREATE USER ${USER} IDENTIFIED BY ?`, [password]);
    await connection.query(`GRANT BACKUP_ADMIN ON *.* TO ${USER}`);
  });
  try {
    await followed(primary, donor, signal);
    await connected(recipient, (connection) =>
      connection.query("SET GLOBAL clone_valid_donor_list = ?", [`${LOOPBACK}:${donor.mysqlPort}`]),
    );
    const sql = `CLONE INSTANCE FROM 'vt_clone'@'${LOOPBACK}':${donor.mysqlPort} IDENTIFIED BY ?`;
    await clone(recipient, sql, [password], signal, report);
    report("restart");
    const ended = async () => !mysqldRuns(processes, recipient);
    await until(STOP_TIMEOUT_MS, signal, `${recipient.mysqld} does not stop`, ended);
    await start();
    await forgetSource(recipient);
  } finally {
    await connected(primary, async (connection) => {
      await connection.query(logging);
      await connection.query(`DROP USER IF EXISTS ${USER}`);
    });
  }
}

/** Makes a server that was made from a replica's data no replica of anything. */
export async function forgetSource(tablet: Tablet) {
  await connected(tablet, (connection) => connection.query("RESET REPLICA ALL"));
}

/** Waits until the replica has everything that the primary has by now, and returns that as a set of GTIDs. */
export async function followed(primary: Tablet, replica: Tablet, signal: AbortSignal): Promise<string> {
  const [[row]] = await connected(primary, (connection) =>
    connection.query<RowDataPacket[]>("SELECT @@GLOBAL.gtid_executed AS gtids"),
  );
  const gtids = String(row?.gtids);
  await until(FOLLOW_TIMEOUT_MS, signal, `${replica.alias} does not catch up with ${primary.alias}`, async () => {
    const [[state]] = await connected(replica, (connection) =>
      connection.query<RowDataPacket[]>("SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS has", [gtids]),
    );
    return state?.has === 1;
  });
  return gtids;
}

async function requireClone(tablet: Tablet) {
  const sql = "SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone' AND PLUGIN_STATUS = 'ACTIVE'";
  const [rows] = await connected(tablet, (connection) => connection.query<RowDataPacket[]>(sql));
  if (rows.length === 0) {
    throw new ClusterProblem(
      `${tablet.mysqld} runs without MySQL's clone plugin, as servers did that an earlier version started. Restart the cluster with 'down' and 'up'.`,
    );
  }
}

/** Runs a statement that clones, in a session of its own; ends it when the signal fires. */
async function clone(tablet: Tablet, sql: string, values: string[], signal: AbortSignal, report: Report) {
  await connected(tablet, (connection) =>
    connected(tablet, async (watcher) => {
      let failure: unknown;
      let running = true;
      const cloning = connection
        .query(sql, values)
        .catch((error) => {
          failure = error;
        })
        .finally(() => {
          running = false;
        });
      while (running) {
        // The watcher's session ends with a server that gets new data.
        if (signal.aborted) await watcher.query(`KILL QUERY ${connection.threadId}`).catch(() => {});
        else report(await progress(watcher).catch(() => "restart"));
        await Promise.race([cloning, sleep(POLL_MS)]);
      }
      signal.throwIfAborted();
      const { errno, code = "" } = (failure ?? {}) as { errno?: number; code?: string };
      if (failure && errno !== RESTART_FAILED && !CONNECTION_LOST.includes(code)) throw failure;
    }),
  );
}

async function progress(watcher: Connection): Promise<string> {
  const [[row]] = await watcher.query<RowDataPacket[]>(
    "SELECT SUM(DATA) DIV 1000000 AS done, SUM(ESTIMATE) DIV 1000000 AS estimate FROM performance_schema.clone_progress",
  );
  return row?.estimate ? `${row.done} of ${row.estimate} MB` : "";
}
