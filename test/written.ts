// Counts what the store has written, at the MySQL servers.

import type { RowDataPacket } from "mysql2/promise";
import { connectToTablet, targets } from "./targets.ts";

/** What plain PUTs have written on all primaries so far. */
export async function written(): Promise<{ statements: number; rows: number }> {
  const sums = { statements: 0, rows: 0 };
  for (const { role, mysqlSocket } of targets.vitess.status.tablets) {
    if (role !== "primary") continue;
    const connection = await connectToTablet(mysqlSocket);
    const [found] = await connection.query<RowDataPacket[]>(
      `SELECT SUM(COUNT_STAR) AS statements, SUM(SUM_ROWS_AFFECTED) AS \`rows\`
       FROM performance_schema.events_statements_summary_by_digest
       WHERE DIGEST_TEXT LIKE 'INSERT INTO \`entries\`%fresh%'`,
    );
    connection.destroy();
    sums.statements += Number(found[0]?.statements);
    sums.rows += Number(found[0]?.rows);
  }
  return sums;
}
