// Whether the simulation still does what was measured, before anything larger is believed of it: the loads of
// `bench -- validate`, on the machine as it was then.

import { readValidated } from "../capacity/results.ts";
import { percent } from "../report.ts";
import { costsOf, type Known, onMachine } from "./costs.ts";
import { type Comparison, compared, type Turn } from "./loads.ts";
import { simulateRig } from "./rig.ts";

/** Of what was measured. */
const BOUNDS = { mean: 0.15, each: 0.3 };

/** Simulates each load and holds it against what was measured. */
export function compareCases(known: Known, seed: number): Comparison[] {
  const { costs, validated } = readValidated();
  return validated.map(({ group, title, options, valueBytes, turns }) => {
    const usual = costsOf(costs, known, valueBytes);
    const simulate = (slowness: Turn["slowness"]) => simulateRig(options, onMachine(usual, slowness), seed);
    return { group, title, ...compared(options, turns, simulate) };
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
