// The load simulator's workloads whose writes are not plain, every answer checked: TTLs beside workload a, and those
// that swap.

import { atLeast, atMost, type Bar, none } from "../bars.ts";
import { simulateLoad } from "../generators.ts";
import type { StepResult } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import type { WorkloadName } from "../load/workload.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS } from "../system.ts";
import { CONNECTIONS, medianOf, type Part } from "./part.ts";

/** Few enough for all connections to meet at each. */
const FEW_KEYS = 10;
const RUNS: { workload: WorkloadName; keys: number }[] = [
  { workload: "a", keys: KEYS },
  { workload: "ttl", keys: KEYS },
  ...(["counters", "locks"] as const).flatMap((workload) => [KEYS, FEW_KEYS].map((keys) => ({ workload, keys }))),
];

interface Row {
  workload: WorkloadName;
  keys: number;
  readsPerSecond: number;
  writesPerSecond: number;
  writeP99Ms: number;
  conflicts: number;
  violations: number;
  errors: number;
  examples: string[];
  rounds: StepResult[];
}

export async function workloads(rig: Rig, url: string): Promise<Part> {
  const { rounds, seconds, warmupSeconds: warmup } = rig.options;
  const all = RUNS.map((run) => ({ ...run, results: [] as Awaited<ReturnType<typeof simulateLoad>>[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { workload, keys, results } of all) {
      const options = { url, workload, keys, namespace: `calls-${workload}`, clients: [CONNECTIONS], seconds, warmup };
      results.push(await simulateLoad(rig, `${workload}, ${figure(keys)} keys`, options));
    }
  }
  const rows = all.map(({ workload, keys, results }): Row => {
    const steps = results.flatMap((result) => result.steps);
    const total = (field: (step: StepResult) => number) => steps.reduce((sofar, step) => sofar + field(step), 0);
    return {
      ...{ workload, keys },
      readsPerSecond: medianOf(steps, ({ reads }) => reads.perSecond),
      writesPerSecond: medianOf(steps, ({ writes }) => writes.perSecond),
      writeP99Ms: medianOf(steps, ({ writes }) => writes.latencyMs?.p99 ?? Number.NaN),
      conflicts: total(({ conflicts }) => conflicts),
      violations: results.reduce((sofar, { violations }) => sofar + violations, 0),
      errors: total(({ errors, refused }) => sum(errors) + sum(refused)),
      examples: results.flatMap(({ examples }) => examples),
      rounds: steps,
    };
  });
  return { data: { workloads: rows }, bars: judge(rows), markdown: workloadTable(rows) };
}

function judge(rows: Row[]): Bar[] {
  const [a, ttl, ...swapping] = rows as [Row, Row, ...Row[]];
  return [
    atLeast("workload ttl, writes/s against a's", 0.7, ttl.writesPerSecond / a.writesPerSecond),
    atMost("workload ttl, p99 of writes against a's", 3, ttl.writeP99Ms / a.writeP99Ms),
    none("workloads a and ttl: violations", a.violations + ttl.violations),
    ...swapping.map(({ workload, keys, violations }) =>
      none(`workload ${workload}, ${figure(keys)} keys: violations`, violations),
    ),
  ];
}

function workloadTable(rows: Row[]): string {
  const head = ["Workload", "keys", "reads/s", "writes/s", "write p99 ms", "conditions that did not hold", "errors"];
  return table(
    [...head, "violations"],
    rows.map((row) => [
      row.workload,
      ...[row.keys, row.readsPerSecond, row.writesPerSecond, row.writeP99Ms].map(figure),
      ...[row.conflicts, row.errors, row.violations].map(figure),
    ]),
  );
}
