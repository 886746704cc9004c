// How long a table's pages stay full that was built anew in the order of its keys, while rows come and go.

import type { Connection } from "mysql2/promise";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { random } from "../bytes/documents.ts";
import { createRows, dropRows, insertRows, keyOf, leafPages, rebuildRows, withDatabase } from "../bytes/rows.ts";
import { uniform } from "../random.ts";
import { type Findings, figure, packageVersion, percent, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const ROWS = 100_000;
/** As a packed value of 1 kB has, in bench/results/bytes.md. */
const VALUE_BYTES = 340;
const STATEMENT_ROWS = 250;
/** What of each page a rebuild fills, in hundredths. */
const FILLS = [100, 90, 80];
/** Of the rows, so many are new, and as many of the others gone. */
const CHURN = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
const PAGE_BYTES = 16_384;

interface Found {
  fill: number;
  /** Of a row, in pages that hold some: as rows came, and after each part of the churn. */
  before: number;
  after: number[];
  rebuildSeconds: number;
}

export async function pages(rig: Rig): Promise<Findings> {
  const found = await withDatabase(await rig.cluster(), async (connection) => {
    const all: Found[] = [];
    for (const fill of FILLS) all.push(await measure(rig, connection, fill));
    return all;
  });
  const seconds = found.reduce((sum, { rebuildSeconds }) => sum + rebuildSeconds, 0) / found.length;
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `${figure(ROWS)} rows with values of ${figure(VALUE_BYTES)} bytes under keys in random order, straight at the mysqld of a primary with two replicas. Bytes of a row are those of the leaves of the primary key. A rebuild is ALTER TABLE … FORCE, with innodb_fill_factor as the table says; it took ${figure(seconds)} s. Then rows at random are deleted, and as many new ones inserted.`,
    data: { found, churn: CHURN },
    markdown: table(
      ["Pages filled", "before, B", ...CHURN.map((share) => (share === 0 ? "rebuilt, B" : `${percent(share)} new, B`))],
      found.map(({ fill, before, after }) => [`${fill}%`, ...[before, ...after].map(figure)]),
    ),
  };
}

async function measure(rig: Rig, connection: Connection, fill: number): Promise<Found> {
  await createRows(connection);
  const keys: string[] = [];
  let made = 0;
  const insert = async (count: number) => {
    for (let left = count; left > 0; left -= STATEMENT_ROWS) {
      rig.signal.throwIfAborted();
      const rows = Array.from({ length: Math.min(left, STATEMENT_ROWS) }, () => {
        made += 1;
        return { key: keyOf(made), value: random(made, VALUE_BYTES) };
      });
      keys.push(...rows.map(({ key }) => key));
      await insertRows(connection, rows);
    }
  };
  const remove = async (count: number) => {
    for (let left = count; left > 0; left -= STATEMENT_ROWS) {
      rig.signal.throwIfAborted();
      const gone = Array.from({ length: Math.min(left, STATEMENT_ROWS) }, () => {
        const [key] = keys.splice(uniform(keys.length), 1, keys.at(-1) as string);
        keys.pop();
        return key as string;
      });
      await connection.query("DELETE FROM rows_of WHERE `key` IN (?)", [gone]);
    }
  };
  const rowBytes = async () => ((await leafPages(connection)) * PAGE_BYTES) / keys.length;
  await insert(ROWS);
  const before = await rowBytes();
  await connection.query("SET GLOBAL innodb_fill_factor = ?", [fill]);
  const begun = performance.now();
  await rebuildRows(connection);
  const rebuildSeconds = (performance.now() - begun) / 1e3;
  await connection.query("SET GLOBAL innodb_fill_factor = DEFAULT");
  const after: number[] = [];
  let churned = 0;
  for (const share of CHURN) {
    const count = Math.round(share * ROWS) - churned;
    await remove(count);
    await insert(count);
    churned += count;
    after.push(await rowBytes());
  }
  await dropRows(connection);
  return { fill, before, after, rebuildSeconds };
}
