// The load simulator over every workload: throughput, latency, and whether each answer was true; then how many
// connections can be held.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import { plots } from "../load/report.ts";
import type { CallFigures, LoadResult, StepResult } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { WORKLOADS } from "../load/workload.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const CLIENTS = [1, 8, 64, 256, 1_000, 4_000];
const CONNECTIONS = 1_000;
/** More than one process may hold: a process has 20,000 files on many machines. */
const MOST = { connections: 90_000, servers: 6, processes: 5 };

interface Row {
  name: string;
  step: StepResult;
}

export async function simulate(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  const before = await deadlocks(cluster);
  const { url } = await rig.startServer();
  const { seconds, warmupSeconds: warmup } = rig.options;
  const results: LoadResult[] = [];
  const run = async (name: string, options: LoadOptions): Promise<Row[]> => {
    const result = await simulateLoad(rig, name, { namespace: "simulate", seconds, warmup, ...options });
    results.push(result);
    return result.steps.map((each) => ({ name, step: each }));
  };

  const rows: Row[] = [];
  for (const workload of WORKLOADS) rows.push(...(await run(workload, { url, workload, clients: [CONNECTIONS] })));
  const rise = await run("b, more and more connections", { url, workload: "b", clients: CLIENTS });
  const risen = results.at(-1) as LoadResult;
  const urls = [url];
  while (urls.length < MOST.servers) urls.push((await rig.startServer()).url);
  const { connections: clients, processes } = MOST;
  const most = await run(`b, ${MOST.servers} servers and ${processes} processes of the simulator`, {
    ...{ url: urls.join(","), workload: "b", processes, clients: [clients] },
  });

  const shown = [...rows, ...rise, ...most];
  const total = (pick: (each: StepResult) => number) => shown.reduce((all, each) => all + pick(each.step), 0);
  const bars = [
    none(
      "wrong, stale, lost or expired answers",
      results.reduce((all, { violations }) => all + violations, 0),
    ),
    none(
      "errors and refusals",
      total(({ errors, refused }) => sum(errors) + sum(refused)),
    ),
    none(`connections of ${figure(clients)} that were not held`, clients - (most[0]?.step.connections ?? 0)),
    none(DEADLOCKS, (await deadlocks(cluster)) - before),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `\`npm run load\`: Zipfian keys of 10,000, values of 256 bytes, closed loop; ${seconds} s after ${warmup} s of warm-up each. Every answer was checked, ${figure(total(({ reads, writes }) => reads.count + writes.count))} in all. The simulator took ${figure(rows[0]?.step.generatorMicrosecondsPerCall)} µs of the same cores for each call.`,
    data: { results, bars },
    markdown: [resultTable(shown), "## Bars", barTable(bars)].join("\n\n"),
    plots: plots(risen),
  };
}

function resultTable(rows: Row[]): string {
  const cells = ({ perSecond, latencyMs }: CallFigures) =>
    [perSecond || undefined, latencyMs?.p50, latencyMs?.p99].map((value) => figure(value));
  return table(
    ["Workload", "connections", "reads/s", "p50 ms", "p99 ms", "writes/s", "p50 ms", "p99 ms", "violations"],
    rows.map(({ name, step: { connections, reads, writes, violations } }) => [
      ...[name, figure(connections), ...cells(reads), ...cells(writes), String(sum(violations))],
    ]),
  );
}
