// Everything that is answered for a target: the figures with their ranges, and what they depend on.

import { type Alternative, alternativesTo } from "./alternatives.ts";
import { type Chokepoint, chokepointsOf } from "./chokepoints.ts";
import { type Meaning, meaningsOf } from "./concurrency.ts";
import { decisionsOf } from "./decisions.ts";
import type { Inputs } from "./measured.ts";
import { type Capacity, capacityOf, type Known } from "./model.ts";
import { valuesOf } from "./quantity.ts";
import { type Effect, effectsOf, type Quantities, quantitiesOf, type Range, rangesOf } from "./spread.ts";
import type { Design, Target } from "./target.ts";

export interface Answer {
  target: Target;
  design: Design;
  inputs: Quantities;
  capacity: Capacity;
  /** Each number of the capacity, named by its path such as `dollars.total`, with its range. */
  ranges: Record<string, Range>;
  meanings: Meaning[];
  chokepoints: Chokepoint[];
  effects: Effect[];
  decisions: { chosen: string; instead: string; dollars: Range; remark: string }[];
  alternatives: Alternative[];
}

export function answer(target: Target, design: Design, inputs: Inputs): Answer {
  const quantities = quantitiesOf(inputs);
  const known = valuesOf(quantities);
  const capacity = capacityOf(target, design, known);
  const ranges = (ask: (known: Known) => Record<string, number>) => rangesOf(ask, quantities);
  const decisions = decisionsOf(target, design);
  const costs = ranges((drawn) => Object.fromEntries(decisions.map((each, i) => [i, each.dollars(drawn)])));
  return {
    target,
    design,
    inputs: quantities,
    capacity,
    ranges: ranges((drawn) => flat(capacityOf(target, design, drawn))),
    meanings: meaningsOf(target, design, known),
    chokepoints: chokepointsOf(target, design, known),
    effects: effectsOf(target, design, quantities),
    decisions: decisions.map(({ chosen, instead, remark }, i) => ({
      ...{ chosen, instead, remark },
      dollars: costs[i] as Range,
    })),
    alternatives: alternativesTo(target, capacity.storage, capacity.traffic, known),
  };
}

/** All numbers of an object within objects, by path. */
function flat(tree: object, path = ""): Record<string, number> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([name, value]): [string, number][] =>
      typeof value === "number" ? [[path + name, value]] : Object.entries(flat(value, `${path}${name}.`)),
    ),
  );
}
