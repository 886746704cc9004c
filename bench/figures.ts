// Finds the figures of a document that are marked as measured, and what the results say they are.
//
// A figure is marked by a comment right behind it, which Markdown does not show:
//
//     reclaims 2,600<!-- = expiry#mass.rowsPerSecondAndShard --> rows a second
//
// After the file's name in bench/results and `#` come names with dots between them, `[0]` for an element of a list,
// `[name=value]` for the element that has this value (several with commas), and `["a name"]` for one with other characters.
// Values with commas stand in quotes. Figures and numbers may be combined by + - * and /, with spaces around them, and are
// from left to right: `get.cores.server / get.perSecond * 1e6`. What is used often can have a name for the whole document:
//
//     <!-- let get = compare#measured[system=vitess-kv,connections=1000,operation=get] -->
//
// The figure must be the value rounded to the decimals that it shows; of a whole number with more than three digits the
// zeros at its end after the third digit do not count: 2,600 is anything from 2,595 to 2,605.

import { figure } from "./report.ts";

export interface Figure {
  line: number;
  shown: string;
  formula: string;
}

export type ReadResults = (name: string) => unknown;

/** What a document shows of a benchmark's results: its beginning, the name of the results, what stands in it, its end. */
export const BLOCK = /(<!-- bench (\w+) -->\n)(.*?)(<!-- end -->)/gs;
export const FIGURE = /([\d,]*\.?\d+)?(?:\*\*)?<!-- = (.+?) -->/g;
const NAMED = /<!-- let (\w+) = (.+?) -->/g;
const SEGMENT = /\.?([A-Za-z_]\w*)|\[(\d+)\]|\["([^"]+)"\]|\[((?:\w+=(?:"[^"]*"|[^",\]][^,\]]*),?)+)\]/y;
const CONDITION = /(\w+)=(?:"([^"]*)"|([^",\]][^,\]]*))/g;
/** As many digits as the results' own tables show. */
const DIGITS = 3;

/** All marks; `shown` is empty where no number stands before one. */
export function figuresIn(document: string): Figure[] {
  return document
    .split("\n")
    .flatMap((text, i) =>
      [...text.matchAll(FIGURE)].map(([, shown = "", formula = ""]) => ({ line: i + 1, shown, formula })),
    );
}

export function namesIn(document: string): Map<string, string> {
  return new Map([...document.matchAll(NAMED)].map(([, name = "", path = ""]) => [name, path]));
}

/** Throws an Error that says which part of a formula leads nowhere. */
export function evaluate(formula: string, names: Map<string, string>, results: ReadResults): number {
  const [first = "", ...rest] = formula.split(/ ([-+*/]) /);
  let value = term(first, names, results);
  for (let i = 0; i < rest.length; i += 2) {
    const next = term(rest[i + 1] ?? "", names, results);
    if (rest[i] === "+") value += next;
    else if (rest[i] === "-") value -= next;
    else if (rest[i] === "*") value *= next;
    else value /= next;
  }
  return value;
}

function term(text: string, names: Map<string, string>, results: ReadResults): number {
  if (/^[\d.]+(e\d+)?$/.test(text)) return Number(text);
  const named = /^\w+(?=[.[])/.exec(text)?.[0] ?? "";
  const path = names.has(named) ? `${names.get(named)}${text.slice(named.length)}` : text;
  const [, file, steps = ""] = /^(\w+)#(.+)$/.exec(path) ?? [];
  if (!file) throw new Error(`${text}: names no results, as in expiry#mass.rows`);
  const found = follow(results(file), steps);
  if (typeof found !== "number") throw new Error(`${path}: is ${found === undefined ? "not there" : "no number"}`);
  return found;
}

function follow(root: unknown, steps: string): unknown {
  let here = root;
  for (SEGMENT.lastIndex = 0; SEGMENT.lastIndex < steps.length; ) {
    const [, name, index, quoted, conditions] = SEGMENT.exec(steps) ?? [];
    if (conditions !== undefined) {
      const wanted = [...conditions.matchAll(CONDITION)].map(([, key = "", quote, plain]) => [key, quote ?? plain]);
      const fits = (each: Record<string, unknown>) =>
        wanted.every(([key, value]) => String(each[key as string]) === value);
      here = Array.isArray(here) ? here.find(fits) : undefined;
    } else {
      const key = name ?? index ?? quoted;
      if (key === undefined) throw new Error(`${steps}: is no path`);
      here = (here as Record<string, unknown> | undefined)?.[key];
    }
  }
  return here;
}

/** Whether a figure is the value, rounded to what it shows. */
export function shows(shown: string, value: number): boolean {
  const plain = shown.replaceAll(",", "");
  const decimals = plain.split(".")[1]?.length ?? 0;
  const zeros = decimals > 0 ? 0 : Math.min(/0*$/.exec(plain)?.[0].length ?? 0, Math.max(0, plain.length - DIGITS));
  const unit = 10 ** (zeros - decimals);
  // A little more than half of it, for what a number in binary can't say.
  return Math.abs(Number(plain) - value) <= unit * 0.500001;
}

/** The value in the form of a figure that may show another. */
export function restated(shown: string, value: number): string {
  const decimals = shown.split(".")[1]?.length ?? 0;
  if (decimals === 0 && Math.abs(value) >= 1000) return figure(value);
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
