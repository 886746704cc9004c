// `npm run simulate`: the design at its full size, simulated call by call, after the same simulation has reproduced what
// was measured.

import { writeFileSync } from "node:fs";
import { readInputs } from "./capacity/measured.ts";
import { valuesOf } from "./capacity/quantity.ts";
import { readResults } from "./capacity/results.ts";
import { DEFAULTS, readTarget } from "./capacity/target.ts";
import { main, option, Problem, refuseOthers } from "./cli.ts";
import { meanOf } from "./costs/costs.ts";
import { compareCases, verdictOn } from "./simulation/cases.ts";
import { costsOf } from "./simulation/costs.ts";
import { comparisonTable } from "./simulation/loads.ts";
import { scenarios, scenarioTable } from "./simulation/scenarios.ts";

const args = {
  calls: option("Callers, each of which waits for its answer", "n", DEFAULTS.calls),
  latency: option("For which the store is sized", "50ms", DEFAULTS.latency),
  data: option("Keys and values", "5000TB", DEFAULTS.data),
  reads: option("Of calls, those that read", "0..1", DEFAULTS.reads),
  seed: option("Of all chance: the same one gives the same result", "n", 1),
  json: option("Write everything to a file", "file"),
  markdown: option("Write the tables to a file", "file"),
};

await main({ name: "simulate", description: "Simulates the design at its full size" }, args, (given) => {
  refuseOthers(given._);
  if (!/^\d{1,9}$/.test(given.seed)) throw new Problem("--seed must be a whole number.");
  const { calls, latency, data, reads, json, markdown } = given;
  const seed = Number(given.seed);
  const { target, design } = readTarget({ ...DEFAULTS, calls, latency, data, reads });
  const known = valuesOf(readInputs());
  const costs = costsOf(meanOf(readResults().statements.rounds), known);
  const comparisons = compareCases(known, seed);
  const verdict = verdictOn(comparisons);
  const parts = ["# Simulation", verdict.sentence, comparisonTable(comparisons)];
  console.log(parts.join("\n\n"));
  if (!verdict.isNearEnough) {
    throw new Problem("\nThe simulation does not reproduce what was measured, so nothing larger is shown.");
  }
  const begun = performance.now();
  const rows = scenarios({ target, design, known, costs, seed });
  const large = [
    `## ${target.calls.toLocaleString("en")} calls in flight`,
    "A call is simulated with its server, statement, vtgate and shard. Slices of the store are alike: some are simulated and stand for all. Where one slice is struck, the figures are of that one.",
    scenarioTable(rows),
  ];
  console.log(`\n${large.join("\n\n")}\n\nThat took ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
  if (json) writeFileSync(json, `${JSON.stringify({ target, design, seed, comparisons, rows }, undefined, 2)}\n`);
  if (markdown) writeFileSync(markdown, `${[...parts, ...large].join("\n\n")}\n`);
  return undefined;
});
