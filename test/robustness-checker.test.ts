// The checker finds what is wrong in histories that are known to be, and nothing in those that are not.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, type Findings } from "./robustness/checker.ts";
import { writeHistory } from "./robustness/history.ts";
import {
  add,
  addUnknown,
  cas,
  count,
  create,
  expire,
  expireIf,
  get,
  head,
  keep,
  NO,
  NOT_APPLIED,
  none,
  peek,
  persist,
  put,
  putTtl,
  release,
  remove,
  type Step,
  step,
  UNKNOWN,
} from "./robustness/steps.ts";

const GOOD: Record<string, Step[]> = {
  "a read sees what was written": [none(0, 1), put("a", 2, 3), get("a", 4, 5), remove(6, 7), none(8, 9)],
  "a read beside a write sees either": [put("a", 0, 1), put("b", 10, 20), get("a", 12, 13), get("b", 14, 15)],
  "writes beside each other happen in any order": [put("a", 0, 10), put("b", 0, 10), get("a", 11, 12)],
  "an unknown write is seen, or never": [
    put("a", 0, 1),
    put("b", 2, 3, UNKNOWN),
    put("c", 2, 3, UNKNOWN),
    get("a", 10, 11),
    get("b", 20, 21),
    put("d", 30, 31),
    get("d", 32, 33),
  ],
  "an unknown write happens long after its end": [
    put("a", 0, 1, UNKNOWN),
    put("b", 2, 3),
    get("b", 4, 5),
    get("a", 900, 901),
  ],
  "an unknown delete": [put("a", 0, 1), remove(2, 3, UNKNOWN), get("a", 4, 5), none(10, 11)],
  "a version that only a HEAD has seen": [
    create("a", 0, 1, UNKNOWN),
    head("a", 2, 3),
    cas("a", "b", 4, 5),
    get("b", 6, 7),
  ],
  "conditions hold or do not": [
    create("a", 0, 1),
    create("b", 2, 3, NO),
    cas("b", "c", 4, 5, NO),
    cas("a", "d", 6, 7),
    get("d", 8, 9),
  ],
  "a release removes its version and no other": [
    put("a", 0, 1),
    release("b", 2, 3, NO),
    release("a", 4, 5),
    none(6, 7),
    release("a", 8, 9, NO),
    create("c", 10, 11),
  ],
  "an unknown release happens late, or never": [
    put("a", 0, 1),
    release("a", 2, 3, UNKNOWN),
    get("a", 4, 5),
    none(10, 11),
    put("b", 12, 13),
    release("b", 14, 15, UNKNOWN),
    cas("b", "c", 16, 17),
    get("c", 18, 19),
  ],
  "a release beside a swap": [put("a", 0, 1), release("a", 2, 10), cas("a", "b", 2, 10, NO), none(11, 12)],
  "an entry is gone at its time": [
    putTtl("a", 100, 0, 10),
    get("a", 50, 51, 105),
    none(106, 107),
    create("b", 110, 111),
  ],
  "a read beside the expiry sees either": [putTtl("a", 100, 0, 10), get("a", 90, 150, 105), none(90, 150)],
  "a TTL counts from before the commit shows": [
    put("a", 0, 1),
    expire(100, 102, 2, 80),
    get("a", 50, 51),
    get("a", 90, 91, 102),
  ],
  "a TTL is changed, taken away and kept": [
    putTtl("a", 100, 0, 1),
    expire(500, 511, 10, 12),
    get("a", 200, 201, 511),
    keep("b", 210, 220),
    get("b", 230, 231, 511),
    persist(240, 250),
    get("b", 900, 901),
  ],
  "conditions on the expiry hold or do not": [
    put("a", 0, 1),
    expireIf("xx", 500, 2, 3),
    expireIf("gt", 500, 4, 5),
    expireIf("nx", 500, 6, 7, 507),
    expireIf("nx", 900, 8, 9),
    expireIf("gt", 400, 10, 11),
    expireIf("gt", 600, 12, 13, 613),
    expireIf("lt", 700, 14, 15),
    expireIf("lt", 300, 16, 17, 317),
    expireIf("xx", 800, 18, 19, 819),
    get("a", 500, 501, 819),
    step({ op: "expire", if: "xx", ttlMs: 10 }, 820, 821, NO),
  ],
  "conditions on an expiry that may be either": [
    putTtl("a", 500, 0, 10),
    expireIf("gt", 500, 5, 8),
    get("a", 20, 21, 506),
    putTtl("b", 500, 30, 40),
    expireIf("lt", 500, 35, 38, 537),
    get("b", 41, 42, 537),
  ],
  "an unknown change of a TTL that its condition forbids": [
    put("a", 0, 1),
    step({ op: "expire", if: "xx", ttlMs: 10 }, 2, 3, UNKNOWN),
    get("a", 100, 101),
  ],
  "a plain put takes a TTL away": [putTtl("a", 100, 0, 1), put("b", 50, 51), get("b", 500, 501)],
  "increments beside each other": [none(0, 1), add(2, 5, 2, 10), add(3, 3, 2, 9), count(5, 2, 11, 12)],
  "a counter is removed and made again": [add(2, 2, 0, 1), remove(2, 3), add(2, 2, 4, 5), count(2, 4, 6, 7)],
  "a counter that expires is made again": [
    step({ op: "increment", by: 2, ttlMs: 100 }, 0, 1, { got: { value: "2", etag: '"0"', expiresAt: 101 } }),
    step({ op: "increment", by: 2, ttlMs: 100 }, 50, 51, { got: { value: "4", etag: '"50"', expiresAt: 101 } }),
    add(1, 1, 200, 201),
  ],
  "sum-unknown": [add(1, 1, 0, 1), addUnknown(4, 2, 3), count(1, 0, 4, 5), add(1, 6, 6, 7), count(6, 6, 8, 9)],
  "sum-never": [add(1, 1, 0, 1), addUnknown(4, 2, 3), add(1, 2, 6, 7), count(2, 6, 8, 9)],
  "a replica is behind": [
    put("a", 0, 1),
    put("b", 2, 3),
    get("b", 4, 5),
    peek(undefined, 6, 7),
    peek("b", 8, 9),
    peek("a", 12_000, 12_001),
    remove(20_000, 20_001),
    peek("b", 30_000, 30_001),
  ],
  "counter-good": [create("1-a", 0, 1), cas("1-a", "2-b", 2, 3), cas("2-b", "3-c", 4, 5, UNKNOWN), get("3-c", 6, 7)],
};

interface Bad {
  steps: Step[];
  kind?: Findings["violations"][0]["kind"];
  /** Of reads of replicas, which are no part of what the model explains. */
  ofReplica?: true;
}

const BAD: Record<string, Bad> = {
  "an acknowledged write is gone": { steps: [put("a", 0, 1), none(2, 3)], kind: "lost" },
  "an acknowledged write is undone": { steps: [put("a", 0, 1), put("b", 2, 3), get("a", 4, 5)], kind: "lost" },
  "an acknowledged delete is undone": { steps: [put("a", 0, 1), remove(2, 3), get("a", 4, 5)], kind: "lost" },
  "a read sees what was overwritten": {
    steps: [put("a", 0, 1), put("b", 2, 3), get("a", 4, 5), get("b", 6, 7)],
    kind: "stale",
  },
  "a read finds nothing where others find what followed": {
    steps: [put("a", 0, 1), put("b", 2, 3), none(4, 5), get("b", 6, 7)],
    kind: "stale",
  },
  "a write happens twice": {
    steps: [put("a", 0, 1), get("a", 2, 3), put("b", 4, 5), get("b", 6, 7), get("a", 8, 9)],
    kind: "doubled",
  },
  "an unknown write happens twice": {
    steps: [put("a", 0, 1, UNKNOWN), get("a", 2, 3), put("b", 4, 5), get("b", 6, 7), get("a", 8, 9)],
    kind: "doubled",
  },
  "a write that did not happen is there": { steps: [put("a", 0, 1, NOT_APPLIED), get("a", 2, 3)], kind: "false" },
  "a write whose condition failed is there": {
    steps: [put("a", 0, 1), cas("a", "b", 2, 3, NO), get("b", 4, 5)],
    kind: "false",
  },
  "a value that nobody wrote": { steps: [get("a", 0, 1)], kind: "false" },
  "reads go back in time": { steps: [put("a", 0, 1), put("b", 10, 20), get("b", 11, 12), get("a", 13, 14)] },
  "two are the first": { steps: [create("a", 0, 1), create("b", 2, 3)] },
  "two swap one version": { steps: [put("a", 0, 1), cas("a", "b", 2, 10), cas("a", "c", 2, 10)] },
  "a condition that held is said to have failed": { steps: [put("a", 0, 1), cas("a", "b", 2, 3, NO)] },
  "a release is undone": {
    steps: [put("a", 0, 1), get("a", 2, 3), release("a", 4, 5), none(6, 7), get("a", 8, 9)],
    kind: "doubled",
  },
  "an acknowledged release did nothing": { steps: [put("a", 0, 1), release("a", 2, 3), get("a", 4, 5)], kind: "lost" },
  "a release removes another version": {
    steps: [put("a", 0, 1), put("b", 2, 3), release("a", 4, 5, NO), none(6, 7)],
    kind: "lost",
  },
  "an old version is released": { steps: [put("a", 0, 1), put("b", 2, 3), release("a", 4, 5)] },
  "a version is released twice": { steps: [put("a", 0, 1), release("a", 2, 10), release("a", 2, 10)] },
  "a version is both released and swapped": {
    steps: [put("a", 0, 1), release("a", 2, 10), cas("a", "b", 2, 10), get("b", 11, 12)],
  },
  "a release that was due is refused": { steps: [put("a", 0, 1), release("a", 2, 3, NO)] },
  "a first TTL is set over another": { steps: [putTtl("a", 500, 0, 1), expireIf("nx", 900, 2, 3, 903)] },
  "a first TTL is refused": { steps: [put("a", 0, 1), expireIf("nx", 500, 2, 3)] },
  "a TTL is renewed that is not there": { steps: [put("a", 0, 1), expireIf("xx", 500, 2, 3, 503)] },
  "a renewal is refused": { steps: [putTtl("a", 500, 0, 1), expireIf("xx", 900, 2, 3)] },
  "a later TTL is an earlier one": { steps: [putTtl("a", 500, 0, 1), expireIf("gt", 400, 10, 11, 411)] },
  "a later TTL ends what never did": { steps: [put("a", 0, 1), expireIf("gt", 500, 2, 3, 503)] },
  "a later TTL is refused": { steps: [putTtl("a", 500, 0, 1), expireIf("gt", 900, 10, 11)] },
  "an earlier TTL is a later one": { steps: [putTtl("a", 500, 0, 1), expireIf("lt", 900, 10, 11, 911)] },
  "an earlier TTL is refused": { steps: [putTtl("a", 500, 0, 1), expireIf("lt", 100, 10, 11)] },
  "an end is refused to what has none": { steps: [put("a", 0, 1), expireIf("lt", 100, 10, 11)] },
  "what is refused says that it is there": { steps: [putTtl("a", 100, 0, 1), expireIf("nx", 900, 200, 201)] },
  "what is refused is said not to be there": {
    steps: [putTtl("a", 900, 0, 1), step({ op: "expire", if: "nx", ttlMs: 500 }, 200, 201, NO)],
  },
  "a HEAD tells an old version": { steps: [put("a", 0, 1), put("b", 2, 3), head("a", 4, 5)] },
  "an entry is there after its time": { steps: [putTtl("a", 100, 0, 1), get("a", 120, 121, 101)] },
  "an entry is gone before its time": { steps: [putTtl("a", 100, 0, 1), none(50, 51)] },
  "gone, and there again": { steps: [putTtl("a", 100, 0, 50), none(110, 120), get("a", 121, 122, 140)] },
  "an entry expires that has no TTL any more": { steps: [putTtl("a", 100, 0, 1), persist(10, 11), none(200, 201)] },
  "an expiry is another one": { steps: [putTtl("a", 100, 0, 10), get("a", 20, 21, 103), get("a", 30, 31, 107)] },
  "a swap is seen before it is asked for": { steps: [put("a", 0, 1), get("b", 2, 3), cas("a", "b", 4, 5)] },
  "sum-lost": { steps: [add(1, 1, 0, 1), add(1, 1, 2, 3), count(1, 2, 4, 5)], kind: "lost" },
  "sum-doubled": { steps: [add(1, 1, 0, 1), add(1, 3, 2, 3), count(3, 2, 4, 5)], kind: "doubled" },
  "sum-unknown-doubled": { steps: [addUnknown(2, 0, 1), count(4, 2, 4, 5)], kind: "doubled" },
  "a counter's answer is undone": { steps: [add(1, 1, 0, 1), count(0, 0, 2, 3)] },
  "two increments are told the same": { steps: [add(1, 1, 0, 10), add(1, 1, 1, 10)] },
  "a replica is too far behind": {
    ...{ steps: [put("a", 0, 1), put("b", 2, 3), peek("a", 20_000, 20_001)], kind: "stale", ofReplica: true },
  },
  "a replica lacks what was written long ago": {
    ...{ steps: [put("a", 0, 1), peek(undefined, 20_000, 20_001)], kind: "stale", ofReplica: true },
  },
  "a replica has what nobody wrote": { steps: [put("a", 0, 1), peek("b", 2, 3)], kind: "false", ofReplica: true },
  "a replica has what did not happen": {
    ...{ steps: [put("a", 0, 1, NOT_APPLIED), peek("a", 2, 3)], kind: "false", ofReplica: true },
  },
  "counter-lost": { steps: [create("1-a", 0, 1), cas("1-a", "2-b", 2, 3), get("1-a", 4, 5)], kind: "lost" },
};

describe("the checker", () => {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-checker-"));
  let findings: Findings;
  const histories = { ...GOOD, ...Object.fromEntries(Object.entries(BAD).map(([name, { steps }]) => [name, steps])) };
  const keyOf = (name: string) => name.replaceAll(/[^a-z]+/gi, "-");

  beforeAll(async () => {
    const file = join(dir, "history.jsonl");
    const calls = Object.entries(histories).flatMap(([name, steps]) =>
      steps.map((each, client) => ({ ...each, key: keyOf(name), client, shard: "-" })),
    );
    writeHistory(file, calls);
    findings = await check(file, dir, AbortSignal.timeout(100_000));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const complaintsOf = (name: string) => findings.violations.filter(({ key }) => key === keyOf(name));

  test("has looked at every history to its end", () => {
    expect(findings).toMatchObject({ keys: Object.keys(histories).length, timedOut: [] });
  });

  test.each(Object.keys(GOOD))("right: %s", (name) => {
    expect(findings.illegal).not.toContain(keyOf(name));
    expect(complaintsOf(name)).toEqual([]);
  });

  test.each(Object.entries(BAD))("wrong: %s", (name, { kind, ofReplica = false }) => {
    expect(findings.illegal.includes(keyOf(name))).toBe(!ofReplica);
    expect(findings.files).toContain(join(dir, `${keyOf(name)}.jsonl`));
    if (kind) expect(complaintsOf(name).map((each) => each.kind)).toContain(kind);
  });
});
