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

/** The same in SQL, for where a shell starts a mysqld; fails on one that is no replica. */
export const APPLY_RELAY_LOG = [
  "START REPLICA SQL_THREAD",
  "SELECT WAIT_FOR_EXECUTED_GTID_SET(RECEIVED_TRANSACTION_SET) FROM performance_schema.replication_connection_status",
  "STOP REPLICA SQL_THREAD",
].join("; ");

/** Waits, as long as it takes, until all that the relay log holds is applied; replication itself is left to Vitess. */
export async function applyRelayLog(connection: Connection, signal: AbortSignal) {
  const sources = "SELECT 1 FROM performance_schema.replication_connection_configuration WHERE HOST <> ''";
  const [[source]] = await connection.query<RowDataPacket[]>(sources);
  // It was the primary, or is new.
  if (!source) return;
  await connection.query("START REPLICA SQL_THREAD");
  let state = await readState(connection);
  while (state.running && !state.applied) {
    await sleep(POLL_MS, undefined, { signal });
    state = await readState(connection);
  }
  // Else a vttablet that has run all the time has started replication meanwhile.
  if (state.receives) return;
  await connection.query("STOP REPLICA SQL_THREAD");
}

async function readState(connection: Connection) {
  const [[row]] = await connection.query<RowDataPacket[]>(
    `SELECT receiver.SERVICE_STATE <> 'OFF' AS receives, applier.SERVICE_STATE = 'ON' AS running,
       GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed) AS applied
     FROM performance_schema.replication_connection_status receiver
     JOIN performance_schema.replication_applier_status applier USING (CHANNEL_NAME)`,
  );
  return { receives: row?.receives === 1, running: row?.running === 1, applied: row?.applied === 1 };
}
