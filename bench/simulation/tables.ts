// What the simulation has found, as Markdown tables.

import { figure, table } from "../report.ts";
import type { Comparison } from "./cases.ts";
import type { Row } from "./scenarios.ts";

export function comparisonTable(comparisons: Comparison[]): string {
  const percent = (error: number) => `${error > 0 ? "+" : ""}${Math.round(100 * error)}%`;
  return table(
    ["Measured case", "calls/s measured", "simulated", "error", "p50 ms measured", "simulated", "error"],
    comparisons.map(({ name, isCalibration, measured, simulated, errors }) => [
      isCalibration ? `${name} *` : name,
      ...[figure(measured.perSecond), figure(simulated.perSecond), percent(errors.perSecond)],
      ...[figure(measured.p50Ms), figure(simulated.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}

export function scenarioTable(rows: Row[]): string {
  return table(
    ["Scenario", "", "calls/s", "p50 ms", "p99 ms", "p99 ms of what is struck", "refused/s", "failed"],
    rows.map((row) => [
      ...[row.scenario, row.when],
      ...[row.callsPerSecond, row.p50Ms, row.p99Ms, row.affectedP99Ms, row.refusedPerSecond].map(figure),
      `${figure(100 * row.failedShare)}%`,
    ]),
  );
}
