import { describe, expect, test } from "bun:test";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import { entryKey } from "../store/store.ts";
import { pauseMs, type SweepOptions, sweep } from "./loop.ts";
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

  test("takes larger steps the later the rows are, up to a bound", async () => {
    let calls = 0;
    const options = { calls: () => calls++ };
    expect((await run(150, options, 30_000)).steps.map(({ deleted }) => deleted)).toEqual([64, 86]);
    expect((await run(400, options, 3_600_000)).steps.map(({ deleted }) => deleted)).toEqual([64, 256, 80]);
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

describe("the pause after a step", () => {
  test("is none while nobody else makes calls", () => expect(pauseMs(50, 100, true)).toBe(0));

  test("is in proportion to the time that the step took", () => {
    expect(pauseMs(40, 0, false)).toBeCloseTo(40);
    expect(pauseMs(80, 0, false)).toBeCloseTo(80);
  });

  test("is shorter the later the rows are, and none in the end", () => {
    const pauses = [0, 60_000, 300_000, 600_000, 86_400_000].map((ageMs) => pauseMs(40, ageMs, false));
    expect(pauses).toEqual(pauses.toSorted((a, b) => b - a));
    expect(pauses.slice(-2)).toEqual([0, 0]);
  });

  test("is bounded, so that a lease can be renewed behind it", () => {
    expect(pauseMs(3_000, 0, false)).toBeLessThanOrEqual(2_000);
  });
});
