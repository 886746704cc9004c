// What the capacity model needs to know beside the other benchmarks: bytes of a row, memory of a connection, CPU of each
// layer for statements of several sizes, and of a cluster that nobody calls.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { clusterGroups, withCores } from "../cpu.ts";
import { connectionTable, measureConnections } from "../footprint/connections.ts";
import { measureRows, rowTable } from "../footprint/rows.ts";
import { measureStatements, microsPerKb, statementTable } from "../footprint/statements.ts";
import { type Findings, figure, packageVersion } from "../report.ts";
import type { Rig } from "../rig.ts";

export async function footprint(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  await rig.makeTable();
  const idle = await idleTabletCores(rig);
  const rows = await measureRows(rig);
  const statements = await measureStatements(rig);
  const connections = await measureConnections(rig);
  const kb = (of: string) => connections.filter((each) => each.of === of).map(({ kbEach }) => kbEach);
  // Named as the inputs of the capacity model that they replace.
  const inputs = {
    fill: rows.filter(({ valueBytes }) => valueBytes === 256).map(({ fill }) => fill),
    inPageFill: rows.filter(({ valueBytes }) => valueBytes >= 1_000 && valueBytes <= 4_000).map(({ fill }) => fill),
    ttlIndexBytes: rows.map(({ indexBytes }) => indexBytes),
    connectionKb: kb("server"),
    gateConnectionKb: kb("vtgate"),
    idleTabletCores: [idle],
    readMicrosPerKb: [microsPerKb(statements, "get")],
    writeMicrosPerKb: [microsPerKb(statements, "put")],
  };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `Rows arrive in random order and have an expiry; statements one at a time, of rows of one shard; each connection has made one call. ${figure(cluster.tablets.length)} tablets that nobody called took ${figure(idle)} cores each.`,
    data: {
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, { values }])),
      rows,
      statements,
      connections,
    },
    markdown: [
      ...["## On disk", rowTable(rows)],
      ...["## Statements", statementTable(statements)],
      ...["## Memory of a connection", connectionTable(connections)],
    ].join("\n\n"),
  };
}

/** Of a vttablet and its mysqld. */
async function idleTabletCores(rig: Rig): Promise<number> {
  const cluster = await rig.cluster();
  const { cores } = await withCores(clusterGroups(cluster), async () => {
    await Bun.sleep(1000 * rig.options.seconds);
    return { cpuSeconds: 0 };
  });
  return ((cores.vttablets ?? 0) + (cores.mysqlds ?? 0)) / cluster.tablets.length;
}
