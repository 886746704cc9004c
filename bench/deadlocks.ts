// What InnoDB itself counts of the one thing that must never happen.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import type { ClusterStatus } from "../vitess/run/status.ts";

/** As the name of a bar. */
export const DEADLOCKS = "InnoDB deadlocks, all MySQL servers";

/** Deadlocks that InnoDB has counted since its start, over all MySQL servers. */
export async function deadlocks({ tablets }: ClusterStatus): Promise<number> {
  const counts = await Promise.all(
    tablets.map(async ({ mysqlSocket }) => {
      const connection = await createConnection({ socketPath: mysqlSocket, user: "vt_dba" });
      try {
        const [rows] = await connection.query<RowDataPacket[]>(
          "SELECT `count` FROM information_schema.INNODB_METRICS WHERE name = 'lock_deadlocks'",
        );
        return Number(rows[0]?.count);
      } finally {
        connection.destroy();
      }
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
