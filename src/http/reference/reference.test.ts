// The OpenAPI document and the API's README say what the calls are declared as; `npm run reference` brings them up to date.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROBLEMS } from "../codes.ts";
import { type Operation, problemsOf } from "../operation.ts";
import { OPERATIONS } from "../operations.ts";
import { asFile, OPENAPI_FILE } from "./document.ts";
import { filled, namesIn, REFERENCE_NAMES } from "./tables.ts";

const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");

test("openapi.json is up to date", () => {
  expect(readFileSync(OPENAPI_FILE, "utf8")).toBe(asFile());
});

test("README.md is up to date, and has every call", () => {
  expect(readme).toBe(filled(readme));
  expect(namesIn(readme).toSorted()).toEqual(REFERENCE_NAMES.toSorted());
});

test("a place for a call that is not there is refused", () => {
  expect(() => filled("<!-- reference: nothing -->\n<!-- /reference -->")).toThrow("no call nothing");
});

test("every problem is of some call, or of any", () => {
  const declared = new Set(
    Object.values(OPERATIONS).flatMap((each) => [...problemsOf(each), ...(each.partProblems ?? [])]),
  );
  const nobodys = Object.entries(PROBLEMS).filter(([code, { advice }]) => !advice && !declared.has(code as never));
  expect(nobodys).toEqual([]);
});

test("a call has each of its problems once", () => {
  const twice = ([, operation]: [string, Operation]) =>
    problemsOf(operation).length !== new Set(problemsOf(operation)).size;
  expect(Object.entries(OPERATIONS).filter(twice)).toEqual([]);
});
