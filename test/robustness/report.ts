// The table of all faults, and the one of what an operator did.

import { table } from "../../bench/report.ts";
import type { Judgement } from "./judge.ts";
import type { Fault } from "./rig.ts";

/** Of a fault; without a judgement where it could not be done or be mended. */
export interface Outcome {
  fault: Fault;
  judgement?: Judgement;
}

const HEAD = [
  "Fault",
  "seconds",
  "calls",
  "errors",
  "longest time without a write, ms",
  "p99 of the other shards before and during, ms",
  "acknowledged writes lost",
  "writes done twice",
  "stale reads",
  "false answers",
  "linearizable",
  "listings, deletions by prefix, wrong ones",
  "deadlocks",
];

/** Rows of the table: texts first, as its head names them. */
export function tableOf(judgements: Judgement[]): { head: string[]; rows: string[][] } {
  return { head: HEAD, rows: judgements.map(rowOf) };
}

function rowOf(judgement: Judgement) {
  const { title, seconds, calls, errors, withoutWriteMs, othersP99Ms, findings, lists, deadlocks } = judgement;
  const count = (kind: string) => String(findings.violations.filter((violation) => violation.kind === kind).length);
  const listed = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, number]) => `${name} ${number}`)
      .join(", ");
  return [
    title,
    String(seconds),
    String(calls),
    listed(errors) || "none",
    listed(withoutWriteMs),
    othersP99Ms ? `${othersP99Ms.before}, ${othersP99Ms.during}` : "–",
    count("lost"),
    count("doubled"),
    count("stale"),
    count("false"),
    verdictOf(findings),
    `${lists.listings}, ${lists.deletions}, ${lists.complaints.length}`,
    String(deadlocks),
  ];
}

/** How often each operation was done, and how it went, with the times that its command took. */
export function operationsTable(outcomes: Outcome[], tookMs: Map<string, number[]>): string {
  const names = [...new Set(outcomes.map(({ fault }) => fault.name))];
  const head = ["operation", "tried", "failed", "with a broken promise or a failed call", "calls", "longest pause, ms"];
  const rows = names.map((name) => {
    const ours = outcomes.filter(({ fault }) => fault.name === name);
    const judged = ours.flatMap(({ judgement }) => judgement ?? []);
    const wrong = judged.filter(({ complaints }) => complaints.length > 0);
    const calls = judged.reduce((sum, { calls }) => sum + calls, 0);
    const pauses = judged.flatMap(({ withoutWriteMs }) => Object.values(withoutWriteMs));
    return [name, ours.length, ours.length - judged.length, wrong.length, calls, Math.max(0, ...pauses)].map(String);
  });
  const seconds = (ms = Number.NaN) => (ms / 1000).toFixed(1);
  const times = [...tookMs].map(([command, all]) => {
    const sorted = all.toSorted((a, b) => a - b);
    return [command, String(all.length), seconds(sorted[Math.floor(sorted.length / 2)]), seconds(sorted.at(-1))];
  });
  return `${table(head, rows)}\n\n${table(["command", "succeeded", "median, s", "longest, s"], times)}`;
}

/** What the table does not say, a line for each fault that there is something to say of. */
export function remarksOn(judgements: Judgement[]): string {
  const lines = judgements.map(({ title, complaints, notes }) => ({ title, remarks: [...complaints, ...notes] }));
  return lines
    .filter(({ remarks }) => remarks.length > 0)
    .map(({ title, remarks }) => `- ${title}: ${remarks.join("; ")}`)
    .join("\n");
}

/** A key whose check has timed out is not called right. */
function verdictOf({ illegal, timedOut, keys }: Judgement["findings"]): string {
  if (illegal.length > 0) return `violation (${illegal.length} of ${keys} keys)`;
  return timedOut.length > 0 ? `timed out (${timedOut.length} of ${keys} keys)` : `ok (${keys} keys)`;
}
