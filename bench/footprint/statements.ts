// What a row costs each layer, by the number of rows that share a statement and by the size of their values.

import { inspectBackend } from "../../src/database/backend.ts";
import { connect } from "../../src/database/connect.ts";
import { Table } from "../../src/database/table.ts";
import { urlOfShard } from "../../src/database/url.ts";
import { newRevision, newVersion } from "../../src/store/version.ts";
import { step } from "../../vitess/support/progress.ts";
import { clusterGroups, withCores } from "../cpu.ts";
import { repeat } from "../repeat.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { ENTRY, keysOfOneShard } from "../store.ts";
import { OPERATIONS, type Operation } from "../system.ts";

export interface StatementCost {
  operation: Operation;
  rows: number;
  valueBytes: number;
  /** Microseconds of a core for each row, by process; `client` is the server's part. */
  micros: Record<string, number>;
}

const CASES = [
  { rows: 1, valueBytes: 256 },
  { rows: 10, valueBytes: 256 },
  { rows: 100, valueBytes: 256 },
  { rows: 500, valueBytes: 256 },
  { rows: 100, valueBytes: 4096 },
];
/** That of keysOfOneShard. */
const SHARD = "-80";
/** For this share of what a load on the whole is measured. */
const SHARE = 0.3;
const DEADLINE_MS = 60_000;

export async function measureStatements(rig: Rig): Promise<StatementCost[]> {
  const cluster = await rig.cluster();
  const { url } = cluster;
  // Sessions as the server's.
  const database = connect({
    url: urlOfShard(url, SHARD),
    backend: await inspectBackend(url),
    connections: 1,
    queueLimit: 1,
    packets: true,
  });
  const entries = new Table(database);
  const costs: StatementCost[] = [];
  try {
    // Puts first: they store what is read.
    for (const { rows, valueBytes } of CASES) {
      const keys = keysOfOneShard(rows);
      const content = { ...ENTRY, value: Buffer.alloc(valueBytes, "v") };
      const later = () => performance.now() + DEADLINE_MS;
      const run: Record<Operation, () => Promise<unknown>> = {
        put: () =>
          entries.put(
            keys.map((key) => ({ key, revision: newRevision(newVersion()), expiry: "never", content })),
            later(),
          ),
        get: () => entries.read("entries", keys, later()),
      };
      for (const operation of OPERATIONS.toReversed()) {
        await step(`${operation.toUpperCase()}, ${rows} rows of ${valueBytes} bytes`, async () => {
          await repeat(run[operation], SHARE * rig.options.warmupSeconds, rig.signal);
          const { result, cores } = await withCores(clusterGroups(cluster), () =>
            repeat(run[operation], SHARE * rig.options.seconds, rig.signal),
          );
          const perRow = (seconds: number) => (seconds * 1e6) / (result.runs * rows);
          const { "load generator": client = 0, others: _, ...groups } = cores;
          const used = Object.entries({ client, ...groups }).map(([name, busy]) => [
            name,
            perRow(busy * result.seconds),
          ]);
          costs.push({ operation, rows, valueBytes, micros: Object.fromEntries(used) });
        });
      }
    }
  } finally {
    await database.close();
  }
  return costs;
}

/** Microseconds of all processes together for each further kB of a value. */
export function microsPerKb(costs: StatementCost[], operation: Operation): number {
  const total = ({ micros }: StatementCost) => Object.values(micros).reduce((sum, each) => sum + each, 0);
  const of = (valueBytes: number) => {
    const found = costs.find(
      (each) => each.operation === operation && each.rows === 100 && each.valueBytes === valueBytes,
    );
    return found ? total(found) : Number.NaN;
  };
  return (of(4096) - of(256)) / ((4096 - 256) / 1000);
}

export function statementTable(costs: StatementCost[]): string {
  const groups = Object.keys(costs[0]?.micros ?? {});
  return table(
    ["Statement", ...groups.map((group) => `${group}, µs a row`)],
    costs.map(({ operation, rows, valueBytes, micros }) => [
      `${operation.toUpperCase()}, ${rows} × ${figure(valueBytes)} bytes`,
      ...groups.map((group) => figure(micros[group])),
    ]),
  );
}
