// Shows the results of a load run: a table for the terminal, a plot for a report.

import { axisX, dot, gridX, line } from "@observablehq/plot";
import { COLOURS, type PlotOptions } from "../plot.ts";
import { type CallFigures, type LoadResult, milliseconds, type StepResult, thousands } from "./run.ts";
import { sum } from "./tally.ts";

const PERCENTILES = ["p50", "p90", "p99", "p999", "max"] as const;
const TITLES = { p50: "p50", p90: "p90", p99: "p99", p999: "p99.9", max: "max" };

/** One line per number of clients, then what went wrong. */
export function table({ steps, violations, examples }: LoadResult): string {
  const latencies = (calls: CallFigures) => {
    const { latencyMs } = calls;
    return PERCENTILES.map((name) => (latencyMs ? milliseconds(latencyMs[name]) : "-"));
  };
  const rows = steps.map((step) => [
    thousands(step.clients),
    ...[thousands(step.reads.perSecond), ...latencies(step.reads)],
    ...[thousands(step.writes.perSecond), ...latencies(step.writes)],
    ...[step.errors, step.refused, step.violations].map((counts) => thousands(sum(counts))),
  ]);
  const titles = Object.values(TITLES);
  const heads = ["clients", "reads/s", ...titles, "writes/s", ...titles, "errors", "refused", "violations"];
  return [
    ...aligned([heads, ...rows]),
    "Latencies in milliseconds; refused is 503.",
    ...steps.flatMap(remarks),
    violations === 0 ? "No violations." : `${thousands(violations)} VIOLATIONS, such as:`,
    ...examples,
  ].join("\n");
}

function remarks(step: StepResult): string[] {
  const each = (counts: Record<string, number>) =>
    Object.entries(counts).map(([name, count]) => `${thousands(count)} × ${name}`);
  const parts = [
    ...(step.connections < step.clients ? [`${thousands(step.connections)} connections held`] : []),
    ...(step.absent > 0 ? [`${thousands(step.absent)} found no key`] : []),
    ...(step.conflicts > 0 ? [`${thousands(step.conflicts)} found their condition not to hold`] : []),
    ...(step.notStarted > 0 ? [`${thousands(step.notStarted)} could not be started`] : []),
    ...each(step.refused),
    ...each(step.errors),
    ...(sum(step.violations) > 0 ? each(step.violations) : []),
  ];
  return parts.length > 0 ? [`${thousands(step.clients)} clients: ${parts.join(", ")}`] : [];
}

function aligned(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "));
}

/** Throughput and latency against the number of clients. */
export function plots({ steps, options }: LoadResult): PlotOptions[] {
  const points = (pick: (calls: CallFigures) => [name: string, y: number | undefined][]) =>
    steps.flatMap((step) =>
      (["reads", "writes"] as const).flatMap((kind) =>
        pick(step[kind]).flatMap(([name, y]) => (y ? [{ clients: step.clients, name: `${kind}${name}`, y }] : [])),
      ),
    );
  const channels = { x: "clients", y: "y", stroke: "name" };
  const clients = steps.map((step) => step.clients);
  const chart = (data: { name: string }[], y: PlotOptions["y"]): PlotOptions => {
    const domain = [...new Set(data.map(({ name }) => name))];
    return {
      ...{ width: 760, height: 340, marginLeft: 70, marginRight: 30, marginBottom: 45 },
      x: { type: "log", label: "clients" },
      y: { grid: true, ...y },
      color: { domain, range: COLOURS.slice(0, domain.length) },
      marks: [
        axisX(clients, { text: thousands, labelOffset: 38 }),
        gridX(clients),
        line(data, channels),
        dot(data, { ...channels, fill: "name", r: 3 }),
      ],
    };
  };
  return [
    chart(
      points(({ perSecond }) => [["", perSecond]]),
      { label: `calls per second (workload ${options.workload}, ${options.distribution})`, zero: true },
    ),
    chart(
      points(({ latencyMs }) => [
        [" p50", latencyMs?.p50],
        [" p99", latencyMs?.p99],
      ]),
      { label: "latency, ms", type: "log" },
    ),
  ];
}
