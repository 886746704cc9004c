// `npm run figures`: puts the tables of bench/results into the documents that show them.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refreshed, SHOWN_IN } from "./figures.ts";

const ROOT = join(import.meta.dirname, "..");

for (const name of SHOWN_IN) {
  const file = join(ROOT, name);
  const before = readFileSync(file, "utf8");
  const after = refreshed(before);
  if (after !== before) writeFileSync(file, after);
  console.log(`${name}: ${after === before ? "as it was" : "brought up to date"}`);
}
