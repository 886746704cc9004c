// What may be told by which lease; that it is enough is for `model.test.ts` to say.

import { expect, test } from "bun:test";
import { termOf } from "../database/tag.ts";
import { Terms } from "./terms.ts";

const tag = (term: number, start = 1) => term * 2 ** 20 + start;

test("a tag has its term in its upper bits, all 52 of them", () => {
  expect(termOf(tag(2 ** 32 - 1, 2 ** 20 - 1))).toBe(2 ** 32 - 1);
  expect(termOf(tag(7))).toBe(7);
});

test("nothing is clear before it is said to be, whatever was acknowledged", () => {
  const terms = new Terms(1000);
  terms.acknowledged(tag(1), 0);
  expect([terms.isClear(tag(1)), terms.isCovered(tag(1), 1)]).toEqual([false, false]);
  terms.cleared(1, 1000);
  expect([terms.isClear(tag(1)), terms.isCovered(tag(1), 1)]).toEqual([true, true]);
  expect(terms.isClear(tag(2))).toBe(false);
});

test("a lease counts from the latest that was sent, and ends earlier than others' waits", () => {
  const terms = new Terms(1000);
  terms.cleared(1, 1000);
  expect(terms.isCovered(tag(1), 0)).toBe(false);
  terms.acknowledged(tag(1), 500);
  terms.acknowledged(tag(1), 100);
  expect([1399, 1400].map((at) => terms.isCovered(tag(1), at))).toEqual([true, false]);
  expect([999, 1000].map((at) => terms.isAging(tag(1), at))).toEqual([false, true]);
});

test("a lease is good for neither another term nor another start of the same mysqld", () => {
  const terms = new Terms(1000);
  terms.cleared(1, 1000);
  terms.cleared(2, 1000);
  terms.acknowledged(tag(1, 1), 0);
  expect([tag(1, 1), tag(1, 2), tag(2, 1)].map((each) => terms.isCovered(each, 1))).toEqual([true, false, false]);
  expect(terms.isClear(tag(1, 2))).toBe(true);
});

test("leases are no longer than a term's mark allows, nor than one's own", () => {
  const terms = new Terms(1000);
  terms.cleared(1, 100);
  terms.cleared(2, 5000);
  for (const term of [1, 2]) terms.acknowledged(tag(term), 0);
  expect([89, 90].map((at) => terms.isCovered(tag(1), at))).toEqual([true, false]);
  expect([899, 900].map((at) => terms.isCovered(tag(2), at))).toEqual([true, false]);
});

test("the oldest terms are forgotten, and are then not clear", () => {
  const terms = new Terms(1000);
  for (let term = 0; term <= 200_000; term++) terms.cleared(term, 1000);
  expect([0, 1, 200_000].map((term) => terms.isClear(tag(term)))).toEqual([false, true, true]);
});
