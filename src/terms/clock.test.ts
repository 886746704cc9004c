import { expect, test } from "bun:test";
import { LeaseClock } from "./clock.ts";

function make() {
  const time = { steadyMs: 1000, wallMs: 5_000_000 };
  const clock = new LeaseClock({ now: () => time.steadyMs, wall: () => time.wallMs, sleep: async () => {} });
  const pass = (ms: number, suspendedMs = 0) => {
    time.steadyMs += ms;
    time.wallMs += ms + suspendedMs;
  };
  return { clock, pass };
}

test("it goes on as performance.now() does", () => {
  const { clock, pass } = make();
  pass(10, 30);
  expect([clock.at(1010), clock.since(1000)]).toEqual([1010, 1000]);
});

test("it makes up for suspensions, also for many short ones", () => {
  const { clock, pass } = make();
  pass(10, 8000);
  expect(clock.at(1010)).toBe(9010);
  pass(10, 30);
  expect(clock.at(1020)).toBe(9020);
  pass(10, 30);
  expect(clock.at(1030)).toBe(9090);
});

test("what was before a suspension, or may have been, has no instant that is not too late", () => {
  const { clock, pass } = make();
  pass(10, 8000);
  expect(clock.since(1000)).toBeUndefined();
  pass(10);
  // Whoever looks next must not take it for later either.
  expect(clock.since(1005)).toBeUndefined();
  expect(clock.since(1015)).toBe(9015);
});

test("a wall clock that is set back changes nothing", () => {
  const { clock, pass } = make();
  pass(10, -60_000);
  expect([clock.at(1010), clock.since(1000)]).toEqual([1010, 1000]);
  pass(10, 100);
  expect(clock.at(1020)).toBe(1120);
});
