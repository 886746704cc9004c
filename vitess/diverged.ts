// Finds replicas that hold what their primary does not. A former primary may have written a transaction that no replica
// had confirmed, and commits it when it comes back. Nobody was told that it happened. Vitess does not let such a tablet
// replicate, nor start again ("Errant GTID detected"), but shows it as serving, and the next primary would wait for it.

import type { RowDataPacket } from "mysql2/promise";
import { connected } from "./mysqlds.ts";
import type { Tablet } from "./topology.ts";

const QUERY_TIMEOUT_MS = 2_000;

/** What to do about one, as a sentence. */
export function adviceOn({ uid, shard }: Pick<Tablet, "uid" | "shard">): string {
  return `Tablet ${uid} holds a write that was never acknowledged and that its primary does not have. Replace it: 'remove-tablet ${uid}', then 'add-tablet ${shard}'.`;
}

/** Whether the tablet has executed what the primary has not; false where either can't be asked. */
export async function hasDiverged(tablet: Tablet, primary: Tablet): Promise<boolean> {
  try {
    // In this order: what the tablet has, the primary had before.
    const { executed } = await ask(tablet, "SELECT @@GLOBAL.gtid_executed AS executed");
    const { extra } = await ask(primary, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed) AS extra", [executed]);
    return extra !== "";
  } catch {
    return false;
  }
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
