// The table of all faults.

import type { Judgement } from "./judge.ts";

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
  "deadlocks",
];

/** Rows of the table: texts first, as its head names them. */
export function tableOf(judgements: Judgement[]): { head: string[]; rows: string[][] } {
  return { head: HEAD, rows: judgements.map(rowOf) };
}

function rowOf({ title, seconds, calls, errors, withoutWriteMs, othersP99Ms, findings, deadlocks }: Judgement) {
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
    String(deadlocks),
  ];
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
