// The tables that the documents show are those of the results; `npm run figures` brings them up to date.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { refreshed, SHOWN_IN, TABLE_NAMES, tablesIn } from "../bench/figures.ts";

const read = (name: string) => readFileSync(join(import.meta.dirname, "..", name), "utf8");
const documents = SHOWN_IN.map((name) => [name, read(name)] as const);

describe.each(documents)("%s", (_, document) => {
  test("its tables are those of the results", () => {
    expect(document).toBe(refreshed(document));
  });
});

test("every table is shown somewhere", () => {
  const shown = new Set(documents.flatMap(([, document]) => tablesIn(document)));
  expect(TABLE_NAMES.filter((name) => !shown.has(name))).toEqual([]);
});

test("a table that nobody makes is refused, and text around a table stays", () => {
  const at = (name: string) => `before\n<!-- table: ${name} -->\nold\n<!-- /table -->\nafter`;
  expect(() => refreshed(at("nothing"))).toThrow("no table nothing");
  const text = refreshed(at("reshard"));
  expect(text).toStartWith("before\n<!-- table: reshard -->\n\n| Shards ");
  expect(text).toEndWith("|\n\n<!-- /table -->\nafter");
});
