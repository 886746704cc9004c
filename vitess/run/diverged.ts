// Finds replicas that hold what their primary does not. A former primary may have written a transaction that no replica
// had confirmed, and commits it when it comes back, or when it is told to wait for confirmations no longer. Nobody was told
// that it happened. Vitess does not let such a tablet replicate, nor start again ("Errant GTID detected"), but shows it as
// serving, and the next primary would wait for it.

import { setTimeout as sleep } from "node:timers/promises";
import type { RowDataPacket } from "mysql2/promise";
import type { Tablet } from "../topology/topology.ts";
import { connected } from "./mysqlds.ts";

const QUERY_TIMEOUT_MS = 2_000;
const CONFIRM_MS = 1_000;
const EXECUTED = `SELECT @@GLOBAL.gtid_executed AS executed, (SELECT VARIABLE_VALUE + 0 FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions') AS waiting`;
/** Without the primary's own transactions: a replica may have executed one that waits for its confirmation there. */
const EXTRA =
  "SELECT GTID_SUBTRACT(GTID_SUBTRACT(?, @@GLOBAL.gtid_executed), CONCAT(@@GLOBAL.server_uuid, ':1-9223372036854775806')) AS extra";

/** What to do about one, as a sentence. */
export function adviceOn({ uid, shard }: Pick<Tablet, "uid" | "shard">): string {
  return `Tablet ${uid} holds a write that was never acknowledged and that its primary does not have. Replace it: 'remove-tablet ${uid}', then 'add-tablet ${shard}'.`;
}

/**
 * Whether the tablet has executed, or is about to, what the primary has not, and still has a moment later: just after a
 * failover it may be the other way round. False where either can't be asked.
 */
export async function hasDiverged(tablet: Tablet, primary: Tablet): Promise<boolean> {
  try {
    if (!(await hasMore(tablet, primary))) return false;
    await sleep(CONFIRM_MS);
    return await hasMore(tablet, primary);
  } catch {
    return false;
  }
}

async function hasMore(tablet: Tablet, primary: Tablet): Promise<boolean> {
  // In this order: what the tablet has of others, the primary had before.
  const { executed, waiting } = await ask(tablet, EXECUTED);
  // It is no primary any more, and its own commits still wait for a replica.
  if (waiting > 0) return true;
  const { extra } = await ask(primary, EXTRA, [executed]);
  return extra !== "";
}

async function ask(tablet: Tablet, sql: string, values: unknown[] = []): Promise<RowDataPacket> {
  return await connected(
    tablet,
    async (connection) => {
      const [[row]] = await connection.query<RowDataPacket[]>({ sql, timeout: QUERY_TIMEOUT_MS }, values);
      return row as RowDataPacket;
    },
    QUERY_TIMEOUT_MS,
  );
}
