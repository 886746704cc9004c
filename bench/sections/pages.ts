// How long a table's pages stay full that was built anew in the order of its keys, while rows come and go.

import type { Connection } from "mysql2/promise";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { random } from "../bytes/documents.ts";
import { createRows, dropRows, insertRows, keyOf, leafPages, rebuildRows, withDatabase } from "../bytes/rows.ts";
import { rebuildWhileServing, type Serving } from "../bytes/serving.ts";
import { ASSUMPTIONS } from "../capacity/assumptions.ts";
import { uniform } from "../random.ts";
import { type Findings, figure, median, packageVersion, percent, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { OPERATIONS } from "../system.ts";

const ROWS = 100_000;
/** As a packed value of 1 kB has, in bench/results/bytes.md. */
const VALUE_BYTES = 340;
const STATEMENT_ROWS = 250;
/** What of each page a rebuild fills, in hundredths. */
const FILLS = [100, 90, 80];
/** Of the rows, so many are new, and as many of the others gone. */
const CHURN = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
/** As mysqlds have it. */
const USUAL_FILL = 90;
/** When a table is rebuilt again. */
const NEW_SHARE = ASSUMPTIONS.rebuiltAtNew.value;
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
  const serving = await rebuildWhileServing(rig, VALUE_BYTES);
  const seconds = found.map(({ rebuildSeconds }) => rebuildSeconds);
  // Named as the inputs of the capacity model that they replace. A rebuild keeps one core busy at most.
  const inputs = {
    rebuiltShare: { values: [rebuiltShare(found, serving)] },
    rebuildRowMicros: { values: seconds.map((each) => (1e6 * each) / ROWS) },
  };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `${figure(ROWS)} rows with values of ${figure(VALUE_BYTES)} bytes under keys in random order, straight at the mysqld of a primary with two replicas. Bytes of a row are those of the leaves of the primary key. A rebuild is ALTER TABLE … FORCE, with innodb_fill_factor as the table says; it took ${figure(median(seconds))} s. Then rows at random are deleted, and as many new ones inserted. While it serves: \`npm run cluster -- rebuild\` on a store of ${figure(serving.rows)} rows beside ${serving.connections} connections, which took ${figure(serving.seconds)} s.`,
    data: { found, churn: CHURN, serving, inputs },
    markdown: [
      table(
        [
          ...["Pages filled", "before, B"],
          ...CHURN.map((share) => (share === 0 ? "rebuilt, B" : `${percent(share)} new, B`)),
        ],
        found.map(({ fill, before, after }) => [`${fill}%`, ...[before, ...after].map(figure)]),
      ),
      "## While it serves",
      servingTable(serving),
    ].join("\n\n"),
  };
}

/**
 * Of a row's bytes, what is left on average between two rebuilds, of which the second comes when a fifth of the rows is new:
 * as it was when the store rebuilt its table, and as pages lose it again.
 */
function rebuiltShare(found: Found[], { rowBytes }: Serving): number {
  const full = found.find(({ fill }) => fill === USUAL_FILL) as Found;
  const last = CHURN.indexOf(NEW_SHARE);
  let lost = 0;
  for (let i = 1; i <= last; i++) {
    const [from, to] = [CHURN[i - 1] as number, CHURN[i] as number];
    const [bytes, next] = [full.after[i - 1] as number, full.after[i] as number];
    lost += (((bytes + next) / 2 - (full.after[0] as number)) * (to - from)) / NEW_SHARE;
  }
  return rowBytes.after / rowBytes.before + lost / full.before;
}

function servingTable({ rowBytes, calls }: Serving): string {
  const row = (when: "before" | "during", bytes: number) => [
    ...[when === "before" ? "before" : "during, and after", figure(bytes)],
    ...OPERATIONS.flatMap((operation) => [calls[operation][when].perSecond, calls[operation][when].p99Ms].map(figure)),
  ];
  return table(
    ["The rebuild", "row, B", "GET/s", "GET p99 ms", "PUT/s", "PUT p99 ms"],
    [row("before", rowBytes.before), row("during", rowBytes.after)],
  );
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
