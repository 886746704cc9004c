// Whether the simulation is near enough to what was measured for anything larger to be believed of it.

import type { Comparison } from "./cases.ts";

/**
 * Errors against what was measured, above which nothing larger is shown. Two measurements of the same load differ by up
 * to 22% themselves.
 */
const BOUNDS = { mean: 0.15, each: 0.3 };

export interface Verdict {
  isNearEnough: boolean;
  sentence: string;
}

export function verdictOn(comparisons: Pick<Comparison, "errors">[]): Verdict {
  const errors = comparisons.flatMap(({ errors: { perSecond, p50Ms } }) => [Math.abs(perSecond), Math.abs(p50Ms)]);
  const each = Math.max(...errors);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const percent = (share: number) => `${Math.round(100 * share)}%`;
  return {
    isNearEnough: each <= BOUNDS.each && mean <= BOUNDS.mean,
    sentence: `Against what was measured: ${percent(mean)} off on average, at most ${percent(each)}; bounds are ${percent(BOUNDS.mean)} and ${percent(BOUNDS.each)}. Cases with a star gave the simulation its costs.`,
  };
}
