// Numbers as a reader wants them: three digits, with units that fit.

import { figure } from "../report.ts";
import type { Range } from "./spread.ts";

const UNITS: [least: number, unit: string][] = [
  [1e15, "PB"],
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];

export function bytes(count: number): string {
  const [factor, unit] = UNITS.find(([least]) => Math.abs(count) >= least) ?? [1, "B"];
  return `${figure(count / factor)} ${unit}`;
}

export function dollars(amount: number): string {
  const sign = amount < 0 ? "−" : "";
  return `${sign}$${figure(Math.abs(amount))}`;
}

export function duration(seconds: number): string {
  if (seconds >= 2 * 86_400) return `${figure(seconds / 86_400)} d`;
  if (seconds >= 2 * 3600) return `${figure(seconds / 3600)} h`;
  return seconds >= 120 ? `${figure(seconds / 60)} min` : `${figure(seconds)} s`;
}

/** A value with the range that 90 of 100 draws are in; without it where they don't differ. */
export function ranged({ value, low, high }: Range, show: (value: number) => string = figure): string {
  const [middle, from, to] = [value, low, high].map(show);
  return from === to ? String(middle) : `${middle} (${from} – ${to})`;
}
