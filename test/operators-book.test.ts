// What the operator's book names is what there is: variables, commands and sections.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../src/config.ts";
import { cluster } from "./cluster-cli.ts";

const VITESS = join(import.meta.dirname, "../vitess");
const book = readFileSync(join(VITESS, "README.md"), "utf8");
const found = (pattern: RegExp, text = book) => [...text.matchAll(pattern)].map(([, name]) => name as string);

test("its table has every variable", () => {
  expect(found(/^\| `([A-Z_]+)` \|/gm).toSorted()).toEqual(VARIABLES.toSorted());
});

test("its list has every command of the cluster", async () => {
  const { output } = await cluster("--help");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the help is coloured
  const commands = found(/^ +([a-z-]+) {2,}/gm, output.replace(/\x1b\[\d*m/g, ""));
  expect(commands.length).toBeGreaterThan(5);
  expect([...new Set(found(/^npm run cluster -- ([a-z-]+) .*#/gm))].toSorted()).toEqual(commands.toSorted());
});

test("its links lead somewhere", () => {
  const sections = found(/^##+ (.*)$/gm).map((title) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const link of found(/\]\(([^)]+)\)/g)) {
    const [file, anchor] = link.split("#") as [string, string?];
    if (file) expect(existsSync(join(VITESS, file))).toBe(true);
    else expect(sections).toContain(anchor as string);
  }
});
