// GTID sets are as MySQL and Vitess write them: with newlines in the one case and without in the other.

import { describe, expect, test } from "bun:test";
import type { TermFacts } from "../database/terms.ts";
import { isMarked, isPlanned, type Mark, readMark, writeMark } from "./change.ts";

const [A, B, C] = ["a", "b", "c"].map((each) => each.repeat(8).concat("-0000-0000-0000-000000000000")) as [
  string,
  string,
  string,
];
const facts = (server: string, others: string, position?: string, action = "PlannedReparentShard"): TermFacts => {
  const change = position === undefined ? null : { action, position: `MySQL56/${position}` };
  return { tag: 1, server, others, change, mark: null, markRevision: null };
};
const mark = (server: string, others: string): Mark => ({ server, others, leaseMs: 2000 });

describe("a planned change directly after the marked term", () => {
  test("is one where what was executed by then is of both terms' others, and theirs", () => {
    expect(isPlanned(facts(B, `${A}:1-10`, `${A}:1-10`), mark(A, ""))).toBe(true);
    expect(isPlanned(facts(B, `${A}:1-10`, `${A}:1-10,${B}:1-3`), mark(A, `${B}:1-3`))).toBe(true);
  });

  test("is one whatever the order, the newlines and the number of intervals", () => {
    const others = `${A}:1-10:12-20,\n${C}:7`;
    expect(isPlanned(facts(B, others, `${C}:7,${A}:1-10:12-20,${B}:1-3`), mark(A, `${B}:1-3,\n${C}:7`))).toBe(true);
  });

  test("is none without an entry in the journal, or with one of another kind", () => {
    expect(isPlanned(facts(B, `${A}:1-10`), mark(A, ""))).toBe(false);
    for (const action of ["EmergencyReparentShard", "EmergencyReparentShard(zone1-101)", "", "plannedreparentshard"]) {
      expect(isPlanned(facts(B, `${A}:1-10`, `${A}:1-10`, action), mark(A, ""))).toBe(false);
    }
  });

  test("is none if an emergency reparent was in between", () => {
    // A was marked, C came in an emergency and wrote its entry, and B by plan.
    const others = `${A}:1-10,\n${C}:1`;
    expect(isPlanned(facts(B, others, `${A}:1-10,${C}:1`), mark(A, ""))).toBe(false);
    // The same server before and after.
    expect(isPlanned(facts(A, `${C}:1`, `${A}:1-10,${C}:1`), mark(A, ""))).toBe(false);
  });

  test("is none if the entry is of an earlier term, as until the new one's is written", () => {
    // C came by plan after A; B came in an emergency after C, which had written.
    expect(isPlanned(facts(B, `${A}:1-10,\n${C}:1-5`, `${A}:1-10`), mark(A, ""))).toBe(false);
    expect(isPlanned(facts(B, `${A}:1-10,\n${C}:1-5`, `${A}:1-10`), mark(C, `${A}:1-10`))).toBe(false);
  });

  test("is none by what can't be read", () => {
    for (const position of ["", "nonsense", ",,,", "\n", `${A}`]) {
      expect(isPlanned(facts(B, `${A}:1-10`, position), mark(A, ""))).toBe(false);
    }
    expect(isPlanned(facts(B, `${A}:1-10`, `${A}:1-10`), mark("", "nonsense"))).toBe(false);
  });
});

describe("a mark", () => {
  test("comes back as it was left, and is of its own term only", () => {
    const of = facts(B, `${A}:1-10,\n${C}:7`);
    const read = readMark(writeMark(of, 2000)) as Mark;
    expect(read).toEqual(mark(B, of.others));
    expect(isMarked(of, read)).toBe(true);
    expect(isMarked(facts(A, of.others), read)).toBe(false);
    expect(isMarked(facts(B, `${A}:1-11,\n${C}:7`), read)).toBe(false);
  });

  test("is none if it is missing or can't be read", () => {
    expect(readMark(null)).toBeUndefined();
    for (const text of [
      "",
      "{",
      "null",
      "7",
      '"a"',
      "[]",
      "{}",
      '{"server":"a","others":"","leaseMs":"long"}',
      '{"server":"a","others":"","leaseMs":0}',
    ]) {
      expect(readMark(Buffer.from(text))).toBeUndefined();
    }
  });
});
