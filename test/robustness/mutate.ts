// Preloaded into a program: replaces texts of its source files, given as JSON in TEST_MUTATIONS.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Replacement {
  /** From the root of the project. */
  file: string;
  /** Must be in it exactly once. */
  text: string;
  by: string;
}

const root = join(import.meta.dirname, "../..");

const sources = new Map<string, string>();
for (const { file, text, by } of JSON.parse(process.env.TEST_MUTATIONS as string) as Replacement[]) {
  const path = join(root, file);
  const parts = (sources.get(path) ?? readFileSync(path, "utf8")).split(text);
  if (parts.length !== 2) throw new Error(`${file} has '${text}' ${parts.length - 1} times, and not once.`);
  sources.set(path, parts.join(by));
}

Bun.plugin({
  name: "mutations",
  setup(build) {
    for (const [path, contents] of sources) {
      const filter = new RegExp(`^${path.replaceAll(/[.+]/g, "\\$&")}$`);
      build.onLoad({ filter }, () => ({ contents, loader: "ts" }));
    }
  },
});
