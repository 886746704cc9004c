// The load simulator over every workload: throughput, latency, and whether each answer was true; then how many
// connections can be held.

import { join } from "node:path";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import { plots } from "../load/report.ts";
import type { CallFigures, LoadResult, StepResult } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { WORKLOADS } from "../load/workloads.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const CLIENTS = [1, 8, 64, 256, 1_000, 4_000];
const CONNECTIONS = 1_000;
/** A process has 20,000 files on many machines, so that more connections take several. */
const MOST = { connections: 90_000, servers: 6, simulators: 5 };

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
  const most = await step(`${figure(MOST.connections)} connections`, () => runMost(rig, urls));
  results.push(...most);
  const mostRows = most.flatMap(({ steps }) =>
    steps.map((each) => ({ name: `b, one of ${MOST.simulators}`, step: each })),
  );

  const shown = [...rows, ...rise, ...mostRows];
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
    none(
      `connections of ${figure(MOST.connections)} that were not held`,
      mostRows.reduce((left, { step: { connections } }) => left - connections, MOST.connections),
    ),
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

/** Runs several load simulators at once, each in a namespace of its own. */
async function runMost(rig: Rig, urls: string[]): Promise<LoadResult[]> {
  const { options, signal } = rig;
  const program = join(import.meta.dirname, "../load.ts");
  return await Promise.all(
    Array.from({ length: MOST.simulators }, async (_, i) => {
      const json = rig.file(`most-${i}.json`);
      const args = {
        ...{ url: urls.join(","), workload: "b", clients: MOST.connections / MOST.simulators, namespace: `most-${i}` },
        ...{ seconds: options.seconds, warmup: options.warmupSeconds, json },
      };
      const flags = Object.entries(args).map(([name, value]) => `--${name}=${value}`);
      const child = Bun.spawn([process.execPath, program, ...flags], { stdout: "ignore", stderr: "pipe", signal });
      const complaint = await child.stderr.text();
      signal.throwIfAborted();
      if ((await child.exited) > 1) throw new Error(`a load simulator failed:\n${complaint}`);
      return (await Bun.file(json).json()) as LoadResult;
    }),
  );
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
