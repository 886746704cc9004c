// `npm run figures`: brings README and DESIGN up to date with bench/results. Figures that are marked become what their
// marks say now; rows of tables between `<!-- bench NAME -->` and `<!-- end -->` become those of results/NAME.md that have
// the same first cell. What it can't find it leaves, for the tests to complain of.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BLOCK, evaluate, FIGURE, namesIn, restated } from "./figures.ts";

const ROOT = join(import.meta.dirname, "..");

const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
const results = (name: string) => JSON.parse(read(`bench/results/${name}.json`));

for (const name of ["README.md", "DESIGN.md"]) {
  const before = read(name);
  const after = withRows(withFigures(before));
  if (after !== before) writeFileSync(join(ROOT, name), after);
  console.log(`${name}: ${after === before ? "as it was" : "brought up to date"}`);
}

function withFigures(document: string): string {
  const names = namesIn(document);
  return document.replace(FIGURE, (mark, shown: string | undefined, formula: string) => {
    if (!shown) return mark;
    try {
      return mark.replace(shown, restated(shown, evaluate(formula, names, results)));
    } catch {
      return mark;
    }
  });
}

function withRows(document: string): string {
  return document.replace(BLOCK, (_, begin: string, section: string, text: string, end: string) => {
    const rows = Map.groupBy(read(`bench/results/${section}.md`).split("\n"), (line) => cellsOf(line)[0]);
    const line = (old: string) => {
      const [first, second] = cellsOf(old);
      const alike = (first && rows.get(first)) || [];
      // Of several the one with the same second cell, or else by their order.
      const at = Math.max(
        0,
        alike.findIndex((each) => cellsOf(each)[1] === second),
      );
      return alike.splice(at, 1)[0] ?? old;
    };
    return `${begin}${text.split("\n").map(line).join("\n")}${end}`;
  });
}

/** Of a table's row; none for other lines, and for the one between its head and its rows. */
function cellsOf(line: string): string[] {
  return /^\| (?!--)/.test(line)
    ? line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
    : [];
}
