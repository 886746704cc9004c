// `npm run capacity`: the capacity model's command line.

import { writeFileSync } from "node:fs";
import { answer } from "./capacity/answer.ts";
import { readInputs } from "./capacity/measured.ts";
import { tables } from "./capacity/tables.ts";
import { DEFAULTS, MEANINGS, type OptionName, PACKINGS, PAGES, ROUTINGS, readTarget } from "./capacity/target.ts";
import { main, option, refuseOthers } from "./cli.ts";

const text = (name: OptionName, description: string, hint: string) => option(description, hint, DEFAULTS[name]);

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
  routing: text("routing", `Which servers take a shard's calls: ${ROUTINGS.join(", ")}`, "word"),
  packing: text("packing", `How values are made smaller: ${PACKINGS.join(", ")}`, "word"),
  pages: text("pages", `How full the pages of tables are: ${PAGES.join(", ")}`, "word"),
  json: option("Write everything to a file, inputs included", "file"),
  markdown: option("Write the tables to a file", "file"),
};

const meta = { name: "capacity", description: "Machines, traffic and cost of the store for a target" };
await main(meta, args, (given) => {
  refuseOthers(given._);
  const { target, design } = readTarget(given);
  const found = answer(target, design, readInputs());
  const shown = tables(found);
  console.log(shown);
  if (given.json) writeFileSync(given.json, `${JSON.stringify(found, undefined, 2)}\n`);
  if (given.markdown) writeFileSync(given.markdown, `${shown}\n`);
  return undefined;
});
