// The operator's book lists the commands that there are.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { cluster } from "./cluster-cli.ts";

const namesIn = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name as string))].toSorted();

test("its list has every command of the cluster", async () => {
  const book = readFileSync(join(import.meta.dirname, "../vitess/README.md"), "utf8");
  const help = stripVTControlCharacters((await cluster("--help")).output);
  const commands = namesIn(help, /^ +([a-z-]+) {2,}/gm);
  expect(commands.length).toBeGreaterThan(5);
  expect(namesIn(book, /^npm run cluster -- ([a-z-]+) .*#/gm)).toEqual(commands);
});
