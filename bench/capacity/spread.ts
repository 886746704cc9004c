// How sure an answer is: the model asked with many draws of what was measured, and with each assumption at its ends.

import type { InputName } from "./measured.ts";
import { capacityOf, type Known } from "./model.ts";
import { PRICES, type Price } from "./prices.ts";
import { type Quantity, valuesOf } from "./quantity.ts";
import { seeded, triangular } from "./random.ts";
import type { Design, Target } from "./target.ts";

/** 90 of 100 draws lie between `low` and `high`. */
export interface Range {
  value: number;
  low: number;
  high: number;
}

export interface Effect {
  name: string;
  unit: string;
  source: string;
  measured: boolean;
  /** The input's own value and range, and the total of dollars a month at its two ends. */
  input: Range;
  dollars: { low: number; high: number };
}

export type Quantities = Record<InputName | Price, Quantity>;

const DRAWS = 1_000;
const SEED = 1;
const TAIL = 0.05;

/** The range of a figure of the answer, over draws of what was measured. Assumptions stay at their values: see `effects`. */
export function rangesOf<Name extends string>(
  ask: (known: Known) => Record<Name, number>,
  quantities: Quantities,
  { draws = DRAWS, seed = SEED } = {},
): Record<Name, Range> {
  const random = seeded(seed);
  const values = ask(valuesOf(quantities));
  const entries = Object.entries<Quantity>(quantities);
  const drawn = Array.from({ length: draws }, () =>
    ask(
      Object.fromEntries(
        entries.map(([name, each]) => [name, each.measured ? triangular(random, each) : each.value]),
      ) as Known,
    ),
  );
  return Object.fromEntries(
    (Object.keys(values) as Name[]).map((name) => {
      const sorted = drawn.map((each) => each[name]).sort((a, b) => a - b);
      const at = (share: number) => sorted[Math.round(share * (draws - 1))] ?? values[name];
      return [name, { value: values[name], low: at(TAIL), high: at(1 - TAIL) }];
    }),
  ) as Record<Name, Range>;
}

/** What each input does to the cost by itself, from one end of its range to the other; the largest effects first. */
export function effectsOf(target: Target, design: Design, quantities: Quantities): Effect[] {
  const known = valuesOf(quantities);
  const total = (name: string, value: number) => capacityOf(target, design, { ...known, [name]: value }).dollars.total;
  return Object.entries<Quantity>(quantities)
    .map(([name, { value, low, high, unit, source, measured }]) => ({
      ...{ name, unit, source, measured, input: { value, low, high } },
      dollars: { low: total(name, low), high: total(name, high) },
    }))
    .sort((a, b) => span(b) - span(a));
}

function span({ dollars }: Effect): number {
  return Math.abs(dollars.high - dollars.low);
}

/** All inputs and prices. */
export function quantitiesOf(inputs: Record<InputName, Quantity>): Quantities {
  return { ...inputs, ...PRICES };
}
