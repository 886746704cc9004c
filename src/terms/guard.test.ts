// One shard's guard over a primary whose answers end when the test says so, and with a clock that the test sets.

import { describe, expect, test } from "bun:test";
import type { Answered } from "../database/fence.ts";
import type { Tag } from "../database/tag.ts";
import type { TermFacts } from "../database/terms.ts";
import { StoreError } from "../store/error.ts";
import { readMark, writeMark } from "./change.ts";
import { LeaseClock, type Time } from "./clock.ts";
import { Guard } from "./guard.ts";
import { Terms } from "./terms.ts";

const LEASE_MS = 1000;
/** Three terms of as many servers, each after the other. */
const [A, B, C] = [1, 2, 3].map((term) => term * 2 ** 20 + 7) as [Tag, Tag, Tag];
const FACTS: Record<Tag, TermFacts> = {
  [A]: { tag: A, server: "a", others: "", change: null, mark: null, markRevision: null },
  [B]: { tag: B, server: "b", others: "a:1-5", change: null, mark: null, markRevision: null },
  [C]: { tag: C, server: "c", others: "a:1-5,\nb:1", change: null, mark: null, markRevision: null },
};
const factsOf = (tag: Tag, more: Partial<TermFacts> = {}): TermFacts => ({ ...(FACTS[tag] as TermFacts), ...more });
const markOf = (tag: Tag, leaseMs = LEASE_MS) => writeMark(factsOf(tag), leaseMs);
const planned = (position: string) => ({ action: "PlannedReparentShard", position: `MySQL56/${position}` });
/** By the real clock, which deadlines go by. */
const later = () => performance.now() + 60_000;

function make({ clear = [] as Tag[] } = {}) {
  let nowMs = 10_000;
  let suspendedMs = 0;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  const time: Time = {
    now: () => nowMs,
    wall: () => nowMs + suspendedMs,
    sleep: (ms) => new Promise<void>((wake) => sleepers.add({ atMs: nowMs + ms, wake })),
  };
  const terms = new Terms(LEASE_MS);
  for (const tag of clear) terms.cleared(Math.floor(tag / 2 ** 20), LEASE_MS);
  const primary = { facts: factsOf(A), marks: [] as Buffer[], renewals: [] as ((tag: Tag | StoreError) => void)[] };
  const guard = new Guard({
    ...{ shard: "-", terms, clock: new LeaseClock(time), holdMs: LEASE_MS, packets: true, time },
    primary: {
      facts: async () => primary.facts,
      mark: async (_, value) => {
        primary.marks.push(value);
        primary.facts = { ...primary.facts, mark: value };
        return true;
      },
      beat: () =>
        new Promise((resolve, reject) => {
          primary.renewals.push((tag) => (tag instanceof StoreError ? reject(tag) : resolve(tag)));
        }),
    },
  });
  const pass = async (ms: number) => {
    nowMs += ms;
    for (const each of sleepers) {
      if (each.atMs > nowMs) continue;
      sleepers.delete(each);
      each.wake();
    }
    await settle();
  };
  const answer = (tags: Tag[], of: Partial<Answered> = {}, deadline = later()) => {
    const at = { sentAtMs: nowMs, receivedAtMs: nowMs };
    return guard.pass({ key: undefined, tags, writes: false, isCommit: false, ...at, ...of }, deadline);
  };
  /** What has become of it by now. */
  const watch = async (passed: Promise<void> | undefined) => {
    const seen = { outcome: passed ? "held" : "told" };
    passed?.then(
      () => {
        seen.outcome = "told";
      },
      (error: StoreError) => {
        seen.outcome = error.code;
      },
    );
    await settle();
    return seen;
  };
  const read = (tag: Tag) => watch(answer([tag]));
  const write = (tag: Tag) => watch(answer([tag], { writes: true, isCommit: true }));
  const suspend = (ms: number) => {
    suspendedMs += ms;
  };
  return { primary, pass, suspend, now: time.now, answer, watch, read, write };
}

async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a term that has not been met", () => {
  test("is waited for, by acknowledgements too, and is marked then", async () => {
    const { primary, pass, read, write } = make();
    const [written, seen] = [await write(A), await read(A)];
    await pass(LEASE_MS - 1);
    expect([written.outcome, seen.outcome, primary.marks.length]).toEqual(["held", "held", 0]);
    // The first was sent when the read was answered, and not after that.
    primary.renewals.shift()?.(A);
    await settle();
    primary.renewals.shift()?.(A);
    await pass(1);
    expect([written.outcome, seen.outcome]).toEqual(["told", "told"]);
    expect(primary.marks.map(readMark)).toEqual([{ server: "a", others: "", leaseMs: LEASE_MS }]);
    expect((await write(A)).outcome).toBe("told");
  });

  test("is clear once somebody else has marked it", async () => {
    const { primary, pass, write } = make();
    const written = await write(A);
    primary.facts = factsOf(A, { mark: markOf(A) });
    await pass(100);
    expect([written.outcome, primary.marks.length]).toEqual(["told", 0]);
  });

  test("is clear if it began by plan after one that was, and is marked", async () => {
    const { primary, write } = make({ clear: [A] });
    primary.facts = factsOf(B, { change: planned("a:1-5"), mark: markOf(A) });
    expect((await write(B)).outcome).toBe("told");
    expect(primary.marks.map((mark) => readMark(mark)?.server)).toEqual(["b"]);
  });

  test("is waited for after an emergency, for as long as anybody's lease in the term before may be", async () => {
    const { primary, pass, write } = make({ clear: [A] });
    const change = { ...planned("a:1-5"), action: "EmergencyReparentShard" };
    primary.facts = factsOf(B, { change, mark: markOf(A, 3 * LEASE_MS) });
    const written = await write(B);
    await pass(3 * LEASE_MS - 1);
    expect(written.outcome).toBe("held");
    await pass(1);
    expect(written.outcome).toBe("told");
  });

  test("is not clear by what another primary says, nor marked as its own", async () => {
    const { primary, pass, write } = make();
    const written = await write(A);
    primary.facts = factsOf(B, { mark: markOf(B) });
    await pass(LEASE_MS - 1);
    expect(written.outcome).toBe("held");
    await pass(1);
    expect([written.outcome, primary.marks.length]).toEqual(["told", 0]);
  });

  test("is waited for if its mark can't be read", async () => {
    const { primary, pass, write } = make();
    primary.facts = factsOf(A, { mark: Buffer.from("{") });
    const written = await write(A);
    expect(written.outcome).toBe("held");
    await pass(LEASE_MS);
    expect(written.outcome).toBe("told");
  });
});

describe("a read in a clear term", () => {
  test("is told within the lease of a write, which is renewed meanwhile, and held for a renewal after it", async () => {
    const { primary, pass, read, write } = make({ clear: [A] });
    await write(A);
    await pass(200);
    expect([(await read(A)).outcome, primary.renewals.length]).toEqual(["told", 0]);
    await pass(400);
    expect([(await read(A)).outcome, primary.renewals.length]).toEqual(["told", 1]);
    await pass(400);
    const seen = [await read(A), await read(A)];
    expect(seen.map(({ outcome }) => outcome)).toEqual(["held", "held"]);
    // It was sent less than a lease before them.
    primary.renewals.shift()?.(A);
    await settle();
    expect(seen.map(({ outcome }) => outcome)).toEqual(["told", "told"]);
  });

  test("waits for another renewal if one was sent too long ago", async () => {
    const { primary, pass, read } = make({ clear: [A] });
    const first = await read(A);
    await pass(LEASE_MS);
    const second = await read(A);
    primary.renewals.shift()?.(A);
    await settle();
    expect([first.outcome, second.outcome, primary.renewals.length]).toEqual(["told", "held", 1]);
    primary.renewals.shift()?.(A);
    await settle();
    expect(second.outcome).toBe("told");
  });

  test("fails if a renewal meets another primary, or fails", async () => {
    const { primary, read } = make({ clear: [A, B] });
    const seen = await read(A);
    primary.renewals.shift()?.(B);
    await settle();
    expect(seen.outcome).toBe("unavailable");
    const other = await read(A);
    primary.renewals.shift()?.(new StoreError("outcome_unknown", "lost"));
    await settle();
    expect(other.outcome).toBe("unavailable");
  });

  test("has no lease from a write during which the machine was suspended", async () => {
    const { pass, suspend, now, answer, watch, read } = make({ clear: [A] });
    const sentAtMs = now();
    await pass(1);
    suspend(10 * LEASE_MS);
    const written = await watch(answer([A], { writes: true, isCommit: true, sentAtMs }));
    expect([written.outcome, (await read(A)).outcome]).toEqual(["told", "held"]);
  });
});

describe("a write", () => {
  test("that was committed is never called one that was not", async () => {
    const { primary, pass, answer } = make();
    const late = answer([A], { writes: true, isCommit: true }, performance.now() + 5) as Promise<void>;
    expect(await late.catch((error: StoreError) => error.code)).toBe("outcome_unknown");
    // What it has waited for goes on.
    await pass(LEASE_MS);
    expect(primary.marks.length).toBe(1);
    const untagged = answer([], { writes: true, isCommit: true }, performance.now() + 5) as Promise<void>;
    primary.renewals.shift()?.(new StoreError("unavailable", "no connection"));
    expect(await untagged.catch((error: StoreError) => error.code)).toBe("outcome_unknown");
  });

  test("without a tag is told once a later commit is, in a term that is clear", async () => {
    const { primary, pass, answer, watch } = make({ clear: [A] });
    await watch(answer([A]));
    const untagged = await watch(answer([], { writes: true, isCommit: true }));
    // The one that is under way was sent before.
    primary.renewals.shift()?.(A);
    await settle();
    expect([untagged.outcome, primary.renewals.length]).toEqual(["held", 1]);
    primary.facts = factsOf(B);
    primary.renewals.shift()?.(B);
    await settle();
    expect(untagged.outcome).toBe("held");
    await pass(LEASE_MS);
    expect(untagged.outcome).toBe("told");
  });

  test("that has changed nothing is as a read is", async () => {
    const { primary, answer, watch } = make({ clear: [A, B] });
    const tagged = await watch(answer([A], { writes: true }));
    expect(tagged.outcome).toBe("held");
    primary.renewals.shift()?.(B);
    await settle();
    expect(tagged.outcome).toBe("outcome_unknown");
  });

  test("of two shards at once waits for what this one can't tell, and fails", async () => {
    const { primary, answer, watch } = make({ clear: [A, C] });
    const seen = await watch(answer([A, C]));
    primary.renewals.shift()?.(A);
    await settle();
    primary.renewals.shift()?.(A);
    await settle();
    expect(seen.outcome).toBe("unavailable");
  });
});

test("a read that can't be sure by its deadline is unavailable", async () => {
  const { answer } = make({ clear: [A] });
  const late = answer([A], {}, performance.now() + 5) as Promise<void>;
  expect(await late.catch((error: StoreError) => error.code)).toBe("unavailable");
});
