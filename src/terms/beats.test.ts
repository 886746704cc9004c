import { expect, test } from "bun:test";
import { Beats, EVENTUAL_MS } from "./beats.ts";

test("a replica is fresh that has an acknowledged beat of the last seconds", () => {
  const beats = new Beats();
  const beat = beats.next(1_000.7);
  expect(beat).toBe(1_000);
  // It may be a former primary's, which nobody will ever acknowledge.
  expect(beats.isFresh(beat, 1_001)).toBe(false);
  beats.acknowledged(beat);
  expect(beats.isFresh(beat, beat + EVENTUAL_MS)).toBe(true);
  expect(beats.isFresh(beat, beat + EVENTUAL_MS + 1)).toBe(false);
});

test("a replica without a beat is not fresh", () => {
  expect(new Beats().isFresh(undefined, 1)).toBe(false);
  expect(new Beats().isFresh(0, 1)).toBe(false);
});

test("no two beats are the same, and old ones are forgotten", () => {
  const beats = new Beats();
  const [first, second] = [beats.next(5), beats.next(5)];
  expect([first, second]).toEqual([5, 6]);
  beats.acknowledged(first);
  beats.acknowledged(second + 2 * EVENTUAL_MS);
  expect(beats.isFresh(first, first)).toBe(false);
});

test("another is due some time after the last", () => {
  const beats = new Beats();
  expect(beats.isDue(0, 0)).toBe(true);
  beats.next(1_000);
  expect([beats.isDue(1_500, 1_000), beats.isDue(2_000, 1_000)]).toEqual([false, true]);
});
