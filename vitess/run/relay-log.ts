// What a replica had acknowledged, but not applied, when its mysqld ended: it is applied before anything else happens.
//
// With semi-sync a commit counts once a replica has it in its relay log, on disk. If the primary is gone for good and
// this replica restarts, that is where the only copy is. mysqlctl's my.cnf has the relay log thrown away at a start
// (`relay_log_recovery`), to be fetched from the primary again; and where it is kept, Vitess does not start the thread
// that applies it before a primary is elected, which in turn waits until it is applied. A transaction of which the log
// holds only a part was not acknowledged, and comes again from whoever is the primary.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, RowDataPacket } from "mysql2/promise";

const POLL_MS = 50;

/** What is in the relay log and not applied, if anything, as a set of GTIDs. */
export const UNAPPLIED =
  "SELECT RECEIVED_TRANSACTION_SET AS gtids FROM performance_schema.replication_connection_status WHERE NOT GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)";

/**
 * Applies it. The thread ends by itself then: asked to stop in a part of a transaction, behind the last whole one, it
 * would wait for the rest of it.
 */
export const applyUntil = (gtids: string) => `START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS = '${gtids}'`;

/**
 * Waits, as long as it takes, until all that the relay log in the folder holds is applied; replication itself is left to
 * Vitess, which may begin with it meanwhile, where the vttablet has outlived its mysqld.
 *
 * The thread that applies then goes on, if it can: an election has those replicas follow the new primary at once that it
 * finds applying. Else none of them confirms the new primary's first write, and the election fails after some seconds.
 */
export async function applyRelayLog(connection: Connection, dir: string, signal: AbortSignal) {
  const [[unapplied]] = await connection.query<RowDataPacket[]>(UNAPPLIED);
  if (unapplied) {
    await connection.query(applyUntil(unapplied.gtids));
    while (await applies(connection, unapplied.gtids)) await sleep(POLL_MS, undefined, { signal });
  }
  if (await endsWhole(connection, dir)) await connection.query("START REPLICA SQL_THREAD");
}

/** Whether nothing, and so no part of a transaction either, follows what is applied. */
async function endsWhole(connection: Connection, dir: string): Promise<boolean> {
  const [[status]] = await connection.query<RowDataPacket[]>("SHOW REPLICA STATUS");
  const applied = status?.Relay_Log_File;
  if (!applied) return false;
  const files = readdirSync(dir).filter((name) => /\.\d+$/.test(name));
  // This start of mysqld began the last one, in which nothing is yet.
  const later = files.filter((name) => name > applied).length;
  const { size } = statSync(join(dir, applied), { throwIfNoEntry: false }) ?? {};
  return later <= 1 && size === Number(status.Relay_Log_Pos);
}

async function applies(connection: Connection, gtids: string): Promise<boolean> {
  const [[row]] = await connection.query<RowDataPacket[]>(
    "SELECT SERVICE_STATE AS state, GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS applied FROM performance_schema.replication_applier_status",
    [gtids],
  );
  return row?.state === "ON" && !row.applied;
}
