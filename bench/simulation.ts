// `npm run simulate`: the design at its full size, simulated call by call, after the same simulation has reproduced what
// was measured.

import { writeFileSync } from "node:fs";
import { defineCommand, runMain } from "citty";
import { readInputs } from "./capacity/measured.ts";
import { valuesOf } from "./capacity/quantity.ts";
import { quantitiesOf } from "./capacity/spread.ts";
import { CapacityProblem, DEFAULTS, type OptionName, readTarget } from "./capacity/target.ts";
import { cases, compareCase } from "./simulation/cases.ts";
import { costsOf } from "./simulation/costs.ts";
import { scenarios } from "./simulation/scenarios.ts";
import { comparisonTable, scenarioTable } from "./simulation/tables.ts";
import { verdictOn } from "./simulation/verdict.ts";

const args = {
  calls: {
    type: "string",
    description: "Callers, each of which waits for its answer",
    valueHint: "n",
    default: DEFAULTS.calls,
  },
  latency: {
    type: "string",
    description: "For which the store is sized",
    valueHint: "50ms",
    default: DEFAULTS.latency,
  },
  data: { type: "string", description: "Keys and values", valueHint: "5000TB", default: DEFAULTS.data },
  reads: { type: "string", description: "Of calls, those that read", valueHint: "0..1", default: DEFAULTS.reads },
  seed: {
    type: "string",
    description: "Of all chance: the same one gives the same result",
    valueHint: "n",
    default: "1",
  },
  json: { type: "string", description: "Write everything to a file", valueHint: "file" },
  markdown: { type: "string", description: "Write the tables to a file", valueHint: "file" },
} as const;

const main = defineCommand({
  meta: { name: "simulate", description: "Simulates the design at its full size" },
  args,
  run({ args: given }) {
    try {
      const unknown = Object.keys(given).find((name) => name !== "_" && !Object.hasOwn(args, name)) ?? given._[0];
      if (unknown !== undefined) throw new CapacityProblem(`There is no option '${unknown}'; --help lists them.`);
      if (!/^\d{1,9}$/.test(given.seed)) throw new CapacityProblem("--seed must be a whole number.");
      simulate(given, Number(given.seed));
    } catch (error) {
      console.error(error instanceof CapacityProblem ? error.message : error);
      process.exit(1);
    }
  },
});

function simulate(given: Partial<Record<OptionName | "json" | "markdown", string>>, seed: number) {
  const { calls, latency, data, reads } = { ...DEFAULTS, ...given };
  const { target, design } = readTarget({ ...DEFAULTS, calls, latency, data, reads });
  const known = valuesOf(quantitiesOf(readInputs()));
  const costs = costsOf(known);
  const comparisons = cases().map((each) => compareCase(each, costs, seed));
  const verdict = verdictOn(comparisons);
  const parts = ["# Simulation", verdict.sentence, comparisonTable(comparisons)];
  console.log(parts.join("\n\n"));
  if (!verdict.isNearEnough) {
    throw new CapacityProblem("\nThe simulation does not reproduce what was measured, so nothing larger is shown.");
  }
  const begun = performance.now();
  const rows = scenarios({ target, design, known, costs, seed });
  const large = [
    `## ${target.calls.toLocaleString("en")} calls in flight`,
    "A call is simulated with its server, statement, vtgate and shard. Slices of the store are alike: some are simulated and stand for all. Where one slice is struck, the figures are of that one.",
    scenarioTable(rows),
  ];
  console.log(`\n${large.join("\n\n")}\n\nThat took ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
  if (given.json)
    writeFileSync(given.json, `${JSON.stringify({ target, design, seed, comparisons, rows }, undefined, 2)}\n`);
  if (given.markdown) writeFileSync(given.markdown, `${[...parts, ...large].join("\n\n")}\n`);
}

await runMain(main);
