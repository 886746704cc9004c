// What a section leaves behind: its figures as JSON and as Markdown tables, with the machine that they are of. What
// documents show of them is figures.ts's.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { type PlotOptions, writePlot } from "./plot.ts";

const RESULTS = join(import.meta.dirname, "results");

/** What a section has found out. */
export interface Findings {
  /** Above the Markdown, if it is no benchmark. */
  title?: string;
  /** Versions of the programs that took part, beyond Bun's. */
  versions: Record<string, string>;
  /** One sentence on how it was measured. */
  method: string;
  /** Everything measured, for programs. */
  data: Record<string, unknown>;
  /** Tables and sentences, for people. */
  markdown: string;
  /** Drawn below each other. */
  plots?: PlotOptions[];
}

/**
 * Writes results/NAME.json, NAME.md and, where there are plots, NAME.svg; returns the Markdown. The options are those of
 * the measurement, for programs.
 */
export function report(name: string, findings: Findings, options: object): string {
  const { title = `Benchmark: ${name}`, method, data, markdown, plots } = findings;
  const versions = { bun: Bun.version, ...findings.versions };
  const machine = machineFacts();
  const date = new Date().toISOString().slice(0, 10);
  const json = { section: name, date, machine, versions, options, method, ...data };
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(json, undefined, 2)}\n`);
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  const caption = [
    method,
    `Everything on one machine: ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, Linux ${machine.kernel}; ${programs.join(", ")}. ${date}.`,
  ].join(" ");
  const text = `${markdown}\n\n${caption}\n`;
  if (plots) writePlot(join(RESULTS, `${name}.svg`), plots);
  const image = plots ? `![The same as a plot](${name}.svg)\n\n` : "";
  writeFileSync(join(RESULTS, `${name}.md`), `# ${title}\n\n${image}${text}`);
  return text;
}

/** A Markdown table that reads as well in a terminal; all columns but the first hold numbers. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => cells[i]?.length ?? 0)));
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const pad = (cell: string, i: number) => (i === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[i] ?? 0));
  return [head.map(pad), rule, ...rows.map((cells) => cells.map(pad))]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Three significant digits, as 12,300 or 1.23; a dash for what was not measured. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** In whole percent. */
export function percent(share: number): string {
  return `${Math.round(100 * share)}%`;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** The version that a program tells of itself. */
export function versionOf(file: string, pattern: RegExp, ...args: string[]): string {
  const { stdout, stderr } = Bun.spawnSync([file, ...(args.length > 0 ? args : ["--version"])]);
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "of unknown version";
}

/** The version of a dependency that is installed. */
export function packageVersion(name: string): string {
  return JSON.parse(readFileSync(join(import.meta.dirname, `../node_modules/${name}/package.json`), "utf8")).version;
}

function machineFacts() {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
  };
}
