// What is asked of the store, each as a figure that has a bound.

import { figure, table } from "./report.ts";

export interface Bar {
  bar: string;
  wanted: string;
  value: number;
  met: boolean;
}

export function atLeast(bar: string, least: number, value: number): Bar {
  return { bar, wanted: `≥ ${least}`, value, met: value >= least };
}

export function atMost(bar: string, most: number, value: number): Bar {
  return { bar, wanted: `≤ ${most}`, value, met: value <= most };
}

/** Of something that must not happen. */
export function none(bar: string, count: number): Bar {
  return { bar, wanted: "0", value: count, met: count === 0 };
}

export function barTable(bars: Bar[]): string {
  return table(
    ["Bar", "wanted", "measured", "met"],
    bars.map(({ bar, wanted, value, met }) => [bar, wanted, figure(value), met ? "yes" : "no"]),
  );
}
