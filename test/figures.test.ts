// What README and DESIGN say was measured is what the results hold. figures.ts tells how a figure is marked.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BLOCK, evaluate, figuresIn, namesIn, shows } from "../bench/figures.ts";
import { figure } from "../bench/report.ts";

const read = (name: string) => readFileSync(join(import.meta.dirname, "..", name), "utf8");
const results = (name: string) => JSON.parse(read(`bench/results/${name}.json`));

describe.each(["README.md", "DESIGN.md"])("%s", (name) => {
  const document = read(name);

  test("figures that are marked are those of the results", () => {
    const names = namesIn(document);
    const wrong = figuresIn(document).flatMap(({ line, shown, formula }) => {
      const value = evaluate(formula, names, results);
      return shown !== "" && shows(shown, value)
        ? []
        : [`${name}:${line} says ${shown}, measured is ${figure(value)} (${formula})`];
    });
    expect(wrong).toEqual([]);
  });

  test("tables that a benchmark has put in are those beside its results", () => {
    for (const [, , section, text = ""] of document.matchAll(BLOCK)) {
      const lines = new Set(read(`bench/results/${section}.md`).split("\n"));
      expect(text.split("\n").filter((line) => !lines.has(line))).toEqual([]);
    }
  });
});

test("DESIGN marks figures", () => {
  expect(figuresIn(read("DESIGN.md")).length).toBeGreaterThan(10);
});

test.each([
  ["18,200", 18_162.1, true],
  ["18,200", 18_251, false],
  ["2,600", 2_596.3, true],
  ["2,600", 2_594, false],
  ["1,000", 1_000.4, true],
  ["1,000", 1_006, false],
  ["40", 40.4, true],
  ["40", 41, false],
  ["1.7", 1.66, true],
  ["1.7", 1.64, false],
  ["0.48", 0.4845, true],
])("%s shows %d: %p", (shown, value, expected) => {
  expect(shows(shown, value)).toBe(expected);
});

test("a formula finds its values", () => {
  const given = () => ({
    measured: [
      { system: "a, b", n: 1, cores: { "x, y": 3 } },
      { system: "c", n: 2, rate: 4 },
    ],
  });
  const names = new Map([["c", "some#measured[system=c,n=2]"]]);
  expect(evaluate('some#measured[system="a, b"].cores["x, y"]', names, given)).toBe(3);
  expect(evaluate("c.rate + some#measured[0].n / 2 * 1e3", names, given)).toBe(2500);
  expect(() => evaluate("c.rat", names, given)).toThrow("not there");
});
