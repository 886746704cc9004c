// What writes mean, case by case; `test/property.test.ts` holds a real server against the same function.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { incrementing } from "./counter.ts";
import { type Answer, decide, isBlind, isLive, type Row, type Write } from "./decide.ts";
import type { Content, ExpireCondition, Increment } from "./store.ts";
import { isVersion, newRevision, newVersion, versionOf } from "./version.ts";

const NOW = 1_000_000;
const content = (text: string): Content => ({ value: Buffer.from(text), contentType: "text/plain", metadata: null });
const textOf = (row: Row | null) => row?.content?.value.toString();

const row = (expiresAtMs: number | null = null): Row => ({
  version: newVersion(),
  expiresAtMs,
  content: content("old"),
});
const put = (more: Partial<Write & { kind: "put" }> = {}): Write & { kind: "put" } => ({
  ...{ kind: "put", version: newVersion(), content: content("new"), expiry: "never", condition: {} },
  ...more,
});
const expire = (expiry: { afterMs: number } | { atMs: number }, condition: ExpireCondition = {}): Write => ({
  ...{ kind: "expire", expiry, condition },
});
const persist = (): Write => ({ kind: "persist" });

describe("versions", () => {
  test("no two revisions share their version or their change, and only versions are taken for such", () => {
    const versions = Array.from({ length: 2_000 }, newVersion);
    const revisions = versions.map(newRevision);
    expect(new Set(versions).size).toBe(2_000);
    expect(new Set(revisions.map((revision) => revision.slice(20))).size).toBe(2_000);
    expect(revisions.map(versionOf)).toEqual(versions);
    expect(versions.every(isVersion)).toBe(true);
    expect(["", "abc", "G".repeat(20), "0".repeat(32), ...revisions].some(isVersion)).toBe(false);
  });

  test("a removed row is told by its revision, which is new each time", () => {
    const [one, other] = [newRevision(null), newRevision(null)];
    expect([one, other].map(versionOf)).toEqual([null, null]);
    expect(one).not.toBe(other);
  });
});

describe("put", () => {
  test("replaces value, version and expiry, and answers the version", () => {
    const write = put({ expiry: { afterMs: 5 } });
    expect(decide(row(NOW + 1), write, NOW)).toEqual({
      row: { version: write.version, expiresAtMs: NOW + 5, content: content("new") },
      answer: write.version,
    });
  });

  test("keeps the expiry that a live entry has, and no other", () => {
    const keep = put({ expiry: "keep" });
    expect(decide(row(NOW + 1), keep, NOW).row?.expiresAtMs).toBe(NOW + 1);
    expect(decide(row(NOW), keep, NOW).row?.expiresAtMs).toBe(null);
    expect(decide(row(), keep, NOW).row?.expiresAtMs).toBe(null);
    expect(decide(null, keep, NOW).row?.expiresAtMs).toBe(null);
  });

  test.each([
    ["If-None-Match: *", "there", { ifNoneMatch: "*" as const }, false],
    ["If-None-Match: *", "absent", { ifNoneMatch: "*" as const }, true],
    ["If-None-Match: *", "expired", { ifNoneMatch: "*" as const }, true],
    ["If-Match: *", "there", { ifMatch: "*" as const }, true],
    ["If-Match: *", "absent", { ifMatch: "*" as const }, false],
    ["If-Match: *", "expired", { ifMatch: "*" as const }, false],
    ["If-Match: another", "there", { ifMatch: [newVersion()] }, false],
    ["If-None-Match: another", "there", { ifNoneMatch: [newVersion()] }, true],
    ["If-Match: none", "there", { ifMatch: [] }, false],
    ["If-None-Match: none", "there", { ifNoneMatch: [] }, true],
  ])("%s on a key that is %s", (_, what, condition, holds) => {
    const rows = { there: row(), absent: null, expired: row(NOW) };
    const found = rows[what as keyof typeof rows];
    const { row: after, answer } = decide(found, put({ condition }), NOW);
    expect(answer !== null).toBe(holds);
    expect(textOf(after)).toBe(holds ? "new" : what === "there" ? "old" : undefined);
  });

  test("If-Match names the version and not the revision: a change of the expiry leaves it", () => {
    const before = row();
    const touched = decide(before, expire({ afterMs: 5 }), NOW).row as Row;
    expect(touched).not.toBe(before);
    const condition = { ifMatch: [before.version] };
    expect(decide(touched, put({ condition }), NOW).answer).not.toBe(null);
  });
});

describe("delete", () => {
  test("removes what is there and changes nothing where nothing is", () => {
    expect(decide(row(), { kind: "delete" }, NOW)).toEqual({ row: null, answer: true });
    expect(decide(null, { kind: "delete" }, NOW)).toEqual({ row: null, answer: true });
    expect(decide(null, { kind: "delete", ifMatch: "*" }, NOW)).toEqual({ row: null, answer: false });
    const there = row();
    expect(decide(there, { kind: "delete", ifMatch: [] }, NOW)).toEqual({ row: there, answer: false });
    expect(decide(there, { kind: "delete", ifMatch: [there.version] }, NOW).row).toBe(null);
  });
});

describe("expire, as Redis has it", () => {
  const later = { afterMs: 100 };
  test.each([
    [undefined, null, true],
    [undefined, NOW + 50, true],
    ["nx", null, true],
    ["nx", NOW + 50, false],
    ["xx", null, false],
    ["xx", NOW + 50, true],
    ["gt", null, false],
    ["gt", NOW + 50, true],
    ["gt", NOW + 100, false],
    ["gt", NOW + 150, false],
    ["lt", null, true],
    ["lt", NOW + 50, false],
    ["lt", NOW + 100, false],
    ["lt", NOW + 150, true],
  ] as const)("%s on an expiry of %s", (condition, current, holds) => {
    const before = row(current);
    const { row: after, answer } = decide(before, expire(later, { if: condition }), NOW);
    if (holds) {
      expect(answer).toEqual({ outcome: "set", atMs: NOW + 100, ttlMs: 100 });
      expect(after).toMatchObject({ expiresAtMs: NOW + 100, content: content("old") });
      expect(after?.version).toBe(before.version);
    } else {
      expect(answer).toEqual({ outcome: "condition_failed" });
      expect(after).toBe(before);
    }
  });

  test("an instant that is past removes the entry for everyone who comes after", () => {
    const { row: after, answer } = decide(row(), expire({ atMs: 1 }), NOW);
    expect(answer).toEqual({ outcome: "set", atMs: 1, ttlMs: 0 });
    expect(decide(after, { kind: "look" }, NOW).answer).toBe(false);
  });

  test("what is absent, or has expired at this very millisecond, has no expiry", () => {
    for (const found of [null, row(NOW)]) {
      expect(decide(found, expire(later), NOW).answer).toEqual({ outcome: "absent" });
      expect(decide(found, persist(), NOW)).toEqual({ row: null, answer: false });
    }
  });

  test("persist takes the expiry away, and leaves an entry without one as it is", () => {
    expect(decide(row(NOW + 1), persist(), NOW)).toMatchObject({ row: { expiresAtMs: null }, answer: true });
    const permanent = row();
    expect(decide(permanent, persist(), NOW).row).toBe(permanent);
  });
});

describe("increment", () => {
  const counter = (text: string, expiresAtMs: number | null = null): Row => ({
    ...row(expiresAtMs),
    content: { value: Buffer.from(text), contentType: "application/json", metadata: "[1]" },
  });
  const increment = (more: Partial<Increment> = {}): Write & { kind: "update" } => ({
    ...{ kind: "update", version: newVersion() },
    update: incrementing({ by: 1n, initial: 0n, ...more }),
  });

  test("adds to what is there, and leaves what describes it and when it expires", () => {
    const write = increment({ by: -12n, expiry: { afterMs: 5 } });
    const { row: after, answer } = decide(counter("10", NOW + 50), write, NOW);
    const expiry = { atMs: NOW + 50, ttlMs: 50 };
    expect(answer).toEqual({ outcome: "set", value: -2n, version: write.version, expiry });
    expect(after).toMatchObject({
      expiresAtMs: NOW + 50,
      content: { contentType: "application/json", metadata: "[1]" },
    });
    expect(textOf(after)).toBe("-2");
  });

  test.each([null, counter("7", NOW)])("makes a counter where none lives", (found) => {
    const made = decide(found, increment({ initial: 40n, by: 2n }), NOW);
    expect([textOf(made.row), made.row?.expiresAtMs]).toEqual(["42", null]);
    const expiring = decide(found, increment({ expiry: { afterMs: 5 } }), NOW);
    expect(expiring.answer).toMatchObject({ value: 1n, expiry: { atMs: NOW + 5, ttlMs: 5 } });
  });

  test("renews the expiry only where it is told to", () => {
    const renewed = decide(counter("1", NOW + 9), increment({ expiry: { afterMs: 50 }, renews: true }), NOW);
    expect(renewed.row?.expiresAtMs).toBe(NOW + 50);
    expect(decide(counter("1"), increment({ renews: true }), NOW).row?.expiresAtMs).toBe(null);
  });

  test.each(["", " 1", "1 ", "+1", "01", "-0", "1.0", "0x1", "x", "9223372036854775808", "1".repeat(30)])(
    "%j is no number",
    (text) => {
      const found = counter(text);
      const { row: after, answer } = decide(found, increment(), NOW);
      expect(answer).toEqual({ outcome: "not_a_number" });
      expect(after).toBe(found);
    },
  );

  test.each([
    ["9223372036854775807", { by: 1n }, "overflow"],
    ["-9223372036854775808", { by: -1n }, "overflow"],
    ["9", { max: 9n }, "out_of_bounds"],
    ["0", { by: -1n, min: 0n }, "out_of_bounds"],
  ] as const)("%s and %p is an %s, and stays", (text, more, outcome) => {
    const found = counter(text);
    expect(decide(found, increment(more), NOW)).toEqual({ row: found, answer: { outcome } });
  });

  test.each([
    ["9223372036854775806", { by: 1n }, "9223372036854775807"],
    ["-9223372036854775807", { by: -1n }, "-9223372036854775808"],
    ["8", { max: 9n }, "9"],
  ] as const)("%s and %p is still %s", (text, more, sum) => {
    expect(textOf(decide(counter(text), increment(more), NOW).row)).toBe(sum);
  });
});

const versionless = fc.constantFrom<Write>({ kind: "delete" }, { kind: "look" });
const instants = fc.oneof(
  fc.record({ afterMs: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ atMs: fc.integer({ min: NOW - 50, max: NOW + 50 }) }),
);
const conditions = fc.record(
  { ifMatch: fc.constantFrom("*" as const, []), ifNoneMatch: fc.constantFrom("*" as const, []) },
  { requiredKeys: [] },
);
const writes: fc.Arbitrary<Write> = fc.oneof(
  versionless,
  fc
    .record({
      content: fc.string().map(content),
      expiry: fc.oneof(instants, fc.constantFrom("never", "keep")),
      condition: conditions,
    })
    .map((more) => put(more as never)),
  fc
    .record({ expiry: instants, if: fc.constantFrom(undefined, "nx", "xx", "gt", "lt") })
    .map(({ expiry, if: condition }) => expire(expiry, { if: condition as never })),
  fc.constant(0).map(persist),
  fc
    .record({ by: fc.bigInt({ min: -5n, max: 5n }), initial: fc.constant(0n), renews: fc.boolean(), expiry: instants })
    .map((increment): Write => ({ kind: "update", version: newVersion(), update: incrementing(increment) })),
);

describe("whatever is written", () => {
  const outcomes = (found: Row | null, all: Write[]) => {
    const answers: Answer[] = [];
    let now = found;
    for (const write of all) {
      const decision = decide(now, write, NOW);
      answers.push(decision.answer);
      now = decision.row;
    }
    return { row: now, answers };
  };

  test("a write that does not look at the row does the same to every row", () => {
    fc.assert(
      fc.property(writes.filter(isBlind), fc.constantFrom(null, row(), row(NOW), row(NOW + 9)), (write, found) => {
        const onNothing = decide(null, write, NOW);
        expect(decide(found, write, NOW)).toEqual(onNothing);
      }),
    );
  });

  test("a row that has expired is as good as none", () => {
    fc.assert(
      fc.property(fc.array(writes, { minLength: 1, maxLength: 12 }), (all) => {
        expect(outcomes(row(NOW), all)).toEqual(outcomes(null, all));
      }),
    );
  });

  test("what is left is live, or is what a past expiry leaves", () => {
    fc.assert(
      fc.property(fc.array(writes, { minLength: 1, maxLength: 12 }), (all) => {
        const { row: left } = outcomes(row(NOW + 20), all);
        expect(left === null || isLive(left, NOW) || left.expiresAtMs !== null).toBe(true);
      }),
    );
  });
});
