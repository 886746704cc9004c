// Each mutant still finds in the sources what it breaks; that it is caught is for `npm run robustness -- --mutant NAME`.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MUTANTS } from "./robustness/mutants.ts";

const root = join(import.meta.dirname, "..");
const transpiler = new Bun.Transpiler({ loader: "ts" });

describe.each(MUTANTS)("the mutant $name", ({ replacements }) => {
  test.each(replacements)("of $file", ({ file, text, by }) => {
    const parts = readFileSync(join(root, file), "utf8").split(text);
    expect(parts).toHaveLength(2);
    expect(() => transpiler.transformSync(parts.join(by))).not.toThrow();
  });
});
