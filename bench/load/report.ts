// Shows the results of a load run: a table for the terminal, a plot for a report.

import { axisX, dot, gridX, line } from "@observablehq/plot";
import { COLOURS, type PlotOptions } from "../plot.ts";
import { figure, table } from "../report.ts";
import { type CallFigures, count, type LoadResult, type StepResult } from "./run.ts";
import { sum } from "./tally.ts";

/** One line per number of clients, then what went wrong. */
export function summary({ steps, violations, examples }: LoadResult): string {
  const cells = ({ perSecond, latencyMs }: CallFigures) =>
    [perSecond, latencyMs?.p50, latencyMs?.p90, latencyMs?.p99, latencyMs?.p999, latencyMs?.max].map(figure);
  const titles = ["p50 ms", "p90", "p99", "p99.9", "max"];
  return [
    table(
      ["clients", "reads/s", ...titles, "writes/s", ...titles, "errors", "refused", "violations"],
      steps.map((step) => [
        ...[count(step.clients), ...cells(step.reads), ...cells(step.writes)],
        ...[step.errors, step.refused, step.violations].map((counts) => count(sum(counts))),
      ]),
    ),
    "",
    ...steps.flatMap(remarks),
    violations === 0 ? "No violations." : `${count(violations)} VIOLATIONS, such as:`,
    ...examples,
  ].join("\n");
}

function remarks(step: StepResult): string[] {
  const counted = Object.entries({
    "connections held": step.connections < step.clients ? step.connections : 0,
    "found no key": step.absent,
    "found their condition not to hold": step.conflicts,
    "could not be started": step.notStarted,
    ...Object.fromEntries(Object.entries(step.refused).map(([code, times]) => [`refused with 503 ${code}`, times])),
    ...step.errors,
    ...step.violations,
  }).filter(([, times]) => times > 0);
  const parts = counted.map(([what, times]) => `${count(times)} ${what}`);
  return parts.length > 0 ? [`${count(step.clients)} clients: ${parts.join(", ")}`] : [];
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
        axisX(clients, { text: count, labelOffset: 38 }),
        gridX(clients),
        line(data, channels),
        dot(data, { ...channels, fill: "name", r: 3 }),
      ],
    };
  };
  const title = `calls per second (workload ${options.workload}, ${options.distribution})`;
  const latency = points(({ latencyMs }) => [
    [" p50", latencyMs?.p50],
    [" p99", latencyMs?.p99],
  ]);
  return [
    chart(
      points(({ perSecond }) => [["", perSecond]]),
      { label: title, zero: true },
    ),
    chart(latency, { label: "latency, ms", type: "log" }),
  ];
}
