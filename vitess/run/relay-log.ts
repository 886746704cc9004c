// What a replica had acknowledged, but not applied, when its mysqld ended: it is applied before anything else happens.
//
// With semi-sync a commit counts once a replica has it in its relay log, on disk. If the primary is gone for good and
// this replica restarts, that is where the only copy is. mysqlctl's my.cnf has the relay log thrown away at a start
// (`relay_log_recovery`), to be fetched from the primary again; and where it is kept, Vitess does not start the thread
// that applies it before a primary is elected, which in turn waits until it is applied. A transaction of which the log
// holds only a part was not acknowledged, and comes again from whoever is the primary.

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
 * Waits, as long as it takes, until all that the relay log holds is applied; replication itself is left to Vitess, which
 * may begin with it meanwhile, where the vttablet has outlived its mysqld.
 */
export async function applyRelayLog(connection: Connection, signal: AbortSignal) {
  const [[unapplied]] = await connection.query<RowDataPacket[]>(UNAPPLIED);
  if (!unapplied) return;
  await connection.query(applyUntil(unapplied.gtids));
  while (await applies(connection, unapplied.gtids)) await sleep(POLL_MS, undefined, { signal });
}

async function applies(connection: Connection, gtids: string): Promise<boolean> {
  const [[row]] = await connection.query<RowDataPacket[]>(
    "SELECT SERVICE_STATE AS state, GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS applied FROM performance_schema.replication_applier_status",
    [gtids],
  );
  return row?.state === "ON" && !row.applied;
}
