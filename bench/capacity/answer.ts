// Everything that is answered for a target, and how sure it is: the model asked with many draws of what was measured, and
// with each input at its ends.

import { seeded, triangular } from "../random.ts";
import { type Alternative, alternativesTo } from "./alternatives.ts";
import { type Chokepoint, chokepointsOf } from "./chokepoints.ts";
import { type Meaning, meaningsOf } from "./concurrency.ts";
import { DECISIONS, type Decision } from "./decisions.ts";
import type { Inputs } from "./measured.ts";
import { type Capacity, capacityOf, type Known } from "./model.ts";
import { type Quantity, valuesOf } from "./quantity.ts";
import type { Design, Target } from "./target.ts";

/** 90 of 100 draws lie between `low` and `high`. */
export interface Range {
  value: number;
  low: number;
  high: number;
}

interface Effect {
  name: string;
  unit: string;
  source: string;
  measured: boolean;
  /** The input's own value and range, and the total of dollars a month at its two ends. */
  input: Range;
  dollars: { low: number; high: number };
}

export interface Answer {
  target: Target;
  design: Design;
  inputs: Inputs;
  capacity: Capacity;
  /** Each number of the capacity, named by its path such as `dollars.total`, with its range. */
  ranges: Record<string, Range>;
  meanings: Meaning[];
  chokepoints: Chokepoint[];
  decisions: (Decision & { dollarsMore: Range })[];
  effects: Effect[];
  alternatives: Alternative[];
}

const DRAWS = 1_000;
const SEED = 1;
const TAIL = 0.05;

export function answer(target: Target, design: Design, inputs: Inputs): Answer {
  const known = valuesOf(inputs);
  const capacity = capacityOf(target, design, known);
  return {
    ...{ target, design, inputs, capacity },
    ranges: rangesOf((drawn) => flat(capacityOf(target, design, drawn)), inputs),
    meanings: meaningsOf(target, design, known),
    chokepoints: chokepointsOf(target, design, known),
    decisions: decisionsOf(target, design, inputs),
    effects: effectsOf(target, design, inputs),
    alternatives: alternativesTo(target, capacity, known),
  };
}

/** The range of each figure, over draws of what was measured. Assumptions stay at their values: see `effects`. */
function rangesOf(ask: (known: Known) => Record<string, number>, inputs: Inputs): Record<string, Range> {
  const random = seeded(SEED);
  const drawOf = (each: Quantity) => (each.measured ? triangular(random, each) : each.value);
  const draw = () => Object.fromEntries(Object.entries(inputs).map(([name, each]) => [name, drawOf(each)])) as Known;
  const drawn = Array.from({ length: DRAWS }, () => ask(draw()));
  const rangeOf = (name: string, value: number): Range => {
    const sorted = drawn.map((each) => each[name] as number).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.round(share * (DRAWS - 1))] ?? value;
    return { value, low: at(TAIL), high: at(1 - TAIL) };
  };
  const values = Object.entries(ask(valuesOf(inputs)));
  return Object.fromEntries(values.map(([name, value]) => [name, rangeOf(name, value)]));
}

/** Where the design has been chosen as it is by default: what the other choice would cost more. */
function decisionsOf(target: Target, design: Design, inputs: Inputs) {
  return DECISIONS.map((decision) => {
    const more = (known: Known) => ({
      dollars:
        capacityOf(target, { ...design, ...decision.change }, known).dollars.total -
        capacityOf(target, design, known).dollars.total,
    });
    return { ...decision, dollarsMore: rangesOf(more, inputs).dollars as Range };
  });
}

/** What each input does to the cost by itself, from one end of its range to the other; the largest effects first. */
function effectsOf(target: Target, design: Design, inputs: Inputs): Effect[] {
  const known = valuesOf(inputs);
  const total = (name: string, value: number) => capacityOf(target, design, { ...known, [name]: value }).dollars.total;
  return Object.entries<Quantity>(inputs)
    .map(([name, { value, low, high, unit, source, measured }]) => ({
      ...{ name, unit, source, measured, input: { value, low, high } },
      dollars: { low: total(name, low), high: total(name, high) },
    }))
    .sort((a, b) => span(b) - span(a));
}

function span({ dollars }: Effect): number {
  return Math.abs(dollars.high - dollars.low);
}

/** All numbers of an object within objects, by path. */
function flat(tree: object, path = ""): Record<string, number> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([name, value]): [string, number][] =>
      typeof value === "number" ? [[path + name, value]] : Object.entries(flat(value, `${path}${name}.`)),
    ),
  );
}
