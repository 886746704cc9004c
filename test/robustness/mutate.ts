// Preloaded into a program: replaces one text of one of its source files, given as JSON in TEST_MUTATION.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Replacement {
  /** From the root of the project. */
  file: string;
  /** Must be in it exactly once. */
  text: string;
  by: string;
}

const { file, text, by }: Replacement = JSON.parse(process.env.TEST_MUTATION as string);
const path = join(import.meta.dirname, "../..", file);
const parts = readFileSync(path, "utf8").split(text);
if (parts.length !== 2) throw new Error(`${file} has '${text}' ${parts.length - 1} times, and not once.`);

Bun.plugin({
  name: "mutation",
  setup(build) {
    const filter = new RegExp(`^${path.replaceAll(/[.+]/g, "\\$&")}$`);
    build.onLoad({ filter }, () => ({ contents: parts.join(by), loader: "ts" }));
  },
});
