// Whether the simulation still does what was measured, before anything larger is believed of it: the loads of
// `bench -- validate`, on the machine as it was then.

import { readValidated } from "../capacity/results.ts";
import { figure, percent, table } from "../report.ts";
import { costsOf, type Known, onMachine } from "./costs.ts";
import { judgedKind } from "./loads.ts";
import { simulateRig } from "./rig.ts";

interface Outcome {
  perSecond: number;
  p50Ms: number;
}

export interface Comparison {
  /** Of GETs and PUTs, which are what is simulated at full size, or of other kinds of call. */
  group: string;
  title: string;
  measured: Outcome;
  simulated: Outcome;
  /** Of the measured value: 0.1 is a tenth too much. */
  errors: Outcome;
}

/** Two measurements of the same load differ by up to 22% themselves. */
const BOUNDS = { mean: 0.15, each: 0.3 };

/** Simulates each load and holds it against what was measured. */
export function compareCases(known: Known, seed: number): Comparison[] {
  const { costs, validated } = readValidated();
  return validated.map(({ group, title, options, valueBytes, slowness, measured }) => {
    const result = simulateRig(options, onMachine(costsOf(costs, known, valueBytes), slowness), seed);
    const { read, write } = result.perSecond;
    const simulated = { perSecond: read + write, p50Ms: result.p50Ms[judgedKind(options)] };
    const errors = {
      perSecond: simulated.perSecond / measured.perSecond - 1,
      p50Ms: simulated.p50Ms / measured.p50Ms - 1,
    };
    return { group, title, measured, simulated, errors };
  });
}

/** Whether the simulation is near enough to what was measured for anything larger to be believed of it. */
export function verdictOn(comparisons: Pick<Comparison, "group" | "errors">[]) {
  const errors = comparisons
    .filter(({ group }) => group === "plain")
    .flatMap(({ errors: { perSecond, p50Ms } }) => [Math.abs(perSecond), Math.abs(p50Ms)]);
  const each = Math.max(...errors);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  return {
    isNearEnough: each <= BOUNDS.each && mean <= BOUNDS.mean,
    sentence: `GETs and PUTs, which are what is simulated here, against what was measured: ${percent(mean)} off on average, at most ${percent(each)}; bounds are ${percent(BOUNDS.mean)} and ${percent(BOUNDS.each)}.`,
  };
}

export function comparisonTable(comparisons: Comparison[]): string {
  return table(
    ["Measured load", "calls/s measured", "simulated", "error", "p50 ms measured", "simulated", "error"],
    comparisons.map(({ title, measured, simulated, errors }) => [
      title,
      ...[figure(measured.perSecond), figure(simulated.perSecond), percent(errors.perSecond)],
      ...[figure(measured.p50Ms), figure(simulated.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}
