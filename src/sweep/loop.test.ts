import { describe, expect, test } from "bun:test";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import { entryKey } from "../store/store.ts";
import { paceBeside, pauseMs, type SweepOptions, sweep } from "./loop.ts";
import type { SweepStep } from "./step.ts";

/** A table of so many expired rows, which is a fake: it says what was asked of it. */
class FakeExpired {
  readonly after: (ExpiredKey | null)[] = [];
  constructor(
    private rows: number,
    private readonly ageMs: number,
  ) {}

  async find(limit: number, after: ExpiredKey | null) {
    this.after.push(after);
    return Array.from({ length: Math.min(limit, this.rows) }, (_, i) => ({
      key: entryKey("n", String(this.rows - i)),
      atMs: i,
      ageMs: this.ageMs,
    }));
  }

  async reclaim(keys: Buffer[]) {
    this.rows -= keys.length;
    return keys.length;
  }
}

async function run(rows: number, options: Partial<SweepOptions> = {}, ageMs = 0) {
  const expired = new FakeExpired(rows, ageMs);
  const steps: SweepStep[] = [];
  const onStep = (step: SweepStep) => {
    steps.push(step);
    return step.last !== null;
  };
  const over = new AbortController();
  await sweep(expired as unknown as ExpiredRows, { over: over.signal, calls: () => 0, onStep, ...options });
  return { steps, expired };
}

describe("the loop", () => {
  test("takes bounded steps until all is reclaimed, larger ones once it finds itself alone", async () => {
    const { steps } = await run(450);
    expect(steps.map(({ deleted }) => deleted)).toEqual([64, 256, 130]);
  });

  test("takes small steps while others make calls", async () => {
    let calls = 0;
    const { steps } = await run(150, { calls: () => calls++ });
    expect(steps.map(({ deleted }) => deleted)).toEqual([64, 64, 22]);
  });

  test("takes larger steps of rows that are late", async () => {
    let calls = 0;
    const { steps } = await run(400, { calls: () => calls++ }, 7_200_000);
    expect(steps.map(({ deleted }) => deleted)).toEqual([64, 256, 80]);
  });

  test("goes on behind the last row that it found", async () => {
    const { expired } = await run(450);
    expect(expired.after.map((after) => after?.atMs)).toEqual([undefined, 63, 255]);
  });

  test("ends where it is told to", async () => {
    const { steps } = await run(10_000, { onStep: () => false });
    expect(steps).toEqual([]);
  });

  test("makes no step when it is over", async () => {
    const { expired } = await run(450, { over: AbortSignal.abort() });
    expect(expired.after).toEqual([]);
  });

  test("passes on what fails", async () => {
    const over = new AbortController().signal;
    const failing = { find: () => Promise.reject(new Error("no")) } as unknown as ExpiredRows;
    expect(sweep(failing, { over, calls: () => 0, onStep: () => true })).rejects.toThrow("no");
  });
});

describe("the pace beside calls", () => {
  const paces = (spanMs: number, ages: number[]) =>
    ages.map((oldestAgeMs) => paceBeside({ seen: 64, spanMs, oldestAgeMs }));
  /** A thousand a second, and all in a millisecond. */
  const steady = (...ages: number[]) => paces(64, ages);
  const atOnce = (...ages: number[]) => paces(1, ages);
  const ascend = (all: { rows: number; share: number }[]) => {
    for (const what of ["rows", "share"] as const) {
      const values = all.map((pace) => pace[what]);
      expect(values).toEqual([...new Set(values)].toSorted((a, b) => a - b));
    }
  };

  test("is the faster the nearer the minute is within which rows are to go", () => {
    ascend(steady(0, 1_000, 10_000, 30_000, 60_000));
    expect(steady(60_000, 3_600_000)).toEqual(Array(2).fill({ rows: 256, share: 1 }));
  });

  test("gives way where rows expired faster than they can be reclaimed, but not for ever", () => {
    ascend(atOnce(0, 60_000, 600_000, 1_800_000, 3_600_000));
    expect(atOnce(60_000)[0]?.share).toBeLessThan(steady(0)[0]?.share as number);
    expect(atOnce(86_400_000)).toEqual([{ rows: 256, share: 1 }]);
  });
});

describe("the pause after a step", () => {
  test("is none at full pace", () => expect(pauseMs(50, 1)).toBe(0));

  test("is in proportion to the time that the step took", () => {
    expect(pauseMs(40, 1 / 4)).toBeCloseTo(120);
    expect(pauseMs(80, 1 / 4)).toBeCloseTo(240);
  });

  test("is bounded, so that a lease can be renewed behind it", () => {
    expect(pauseMs(3_000, 1 / 8)).toBeLessThanOrEqual(2_000);
  });
});
