// Counts what the store has written, at the MySQL servers.

import type { RowDataPacket } from "mysql2/promise";
import { connectToTablet, targets, until } from "./targets.ts";

interface Written {
  statements: number;
  rows: number;
}

/**
 * The same once so many rows have been written since: MySQL counts a statement a little later than it answers, and so
 * perhaps some that an earlier test has made.
 */
export async function writtenAfter(before: Written, rows: number): Promise<Written> {
  let after = before;
  await until(async () => {
    after = await written();
    return after.rows >= before.rows + rows;
  }, `${rows} rows are written`);
  return after;
}

/** What plain PUTs, and creations, have written on all primaries so far: of long statements MySQL keeps the beginning. */
export async function written(): Promise<Written> {
  const sums = { statements: 0, rows: 0 };
  for (const { role, mysqlSocket } of targets.vitess.status.tablets) {
    if (role !== "primary") continue;
    const connection = await connectToTablet(mysqlSocket);
    const [found] = await connection.query<RowDataPacket[]>(
      `SELECT SUM(COUNT_STAR) AS statements, SUM(SUM_ROWS_AFFECTED) AS \`rows\`
       FROM performance_schema.events_statements_summary_by_digest
       WHERE DIGEST_TEXT LIKE 'INSERT INTO \`entries\`%'`,
    );
    connection.destroy();
    sums.statements += Number(found[0]?.statements);
    sums.rows += Number(found[0]?.rows);
  }
  return sums;
}
