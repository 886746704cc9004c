// `npm run capacity`: the capacity model's command line.

import { writeFileSync } from "node:fs";
import { defineCommand, runMain } from "citty";
import { answer } from "./capacity/answer.ts";
import { charts } from "./capacity/charts.ts";
import { readInputs } from "./capacity/measured.ts";
import { valuesOf } from "./capacity/quantity.ts";
import { tables } from "./capacity/tables.ts";
import { CapacityProblem, DEFAULTS, MEANINGS, type OptionName, ROUTINGS, readTarget } from "./capacity/target.ts";
import { writePlot } from "./plot.ts";

const text = (name: OptionName, description: string, valueHint: string) =>
  ({ type: "string", description, valueHint, default: DEFAULTS[name] }) as const;
const file = (description: string) => ({ type: "string", description, valueHint: "file" }) as const;

const args = {
  calls: text("calls", "How many, of what --meaning says", "n"),
  meaning: text("meaning", `What they are: ${MEANINGS.join(", ")}`, "word"),
  latency: text("latency", "Median that callers may see", "50ms"),
  data: text("data", "Keys and values, as callers count them", "5000TB"),
  value: text("value", "Size of a value", "1kB"),
  "ttl-share": text("ttl-share", "Of writes, those with a TTL", "0..1"),
  reads: text("reads", "Of calls, those that read", "0..1"),
  replicas: text("replicas", "Tablets of a shard", "n"),
  "shard-size": text("shard-size", "Of a shard, on one tablet's disk", "250GB"),
  compression: text("compression", "By how much values shrink on disk", "ratio"),
  routing: text("routing", `Which servers take a shard's calls: ${ROUTINGS.join(", ")}`, "word"),
  "expiry-index": text("expiry-index", "Whether there is an index on the expiry", "true|false"),
  json: file("Write everything to a file, inputs included"),
  markdown: file("Write the tables to a file"),
  svg: file("Draw the plots to a file"),
} as const;

const main = defineCommand({
  meta: { name: "capacity", description: "Machines, traffic and cost of the store for a target" },
  args,
  run({ args: given }) {
    try {
      const known = new Set<string>(["_", ...Object.keys(args)]);
      // citty gives a dashed option under its camel-case name as well.
      const unknown = Object.keys(given).find((name) => !known.has(name) && !/[A-Z]/.test(name)) ?? given._[0];
      if (unknown !== undefined) throw new CapacityProblem(`There is no option '${unknown}'; --help lists them.`);
      const options = Object.fromEntries(
        Object.keys(DEFAULTS).map((name) => [name, String(given[name as OptionName])]),
      );
      const { target, design } = readTarget(options as Record<OptionName, string>);
      const found = answer(target, design, readInputs());
      const shown = tables(found);
      console.log(shown);
      if (given.json) writeFileSync(given.json, `${JSON.stringify(found, undefined, 2)}\n`);
      if (given.markdown) writeFileSync(given.markdown, `${shown}\n`);
      if (given.svg) writePlot(given.svg, charts(target, design, valuesOf(found.inputs)));
    } catch (error) {
      console.error(error instanceof CapacityProblem ? error.message : error);
      process.exit(1);
    }
  },
});

await runMain(main);
