// Whether an answer is one that its call is declared to give: what the document says is then what the server does.

import { expect } from "bun:test";
import { PROBLEMS, type ProblemCode } from "../codes.ts";
import { type Operation, problemsOf } from "../operation.ts";
import { OPERATIONS } from "../operations.ts";

/** What a path that is no call's, or a method that it does not take, is answered with. */
const ELSEWHERE: ProblemCode[] = ["no_such_route", "method_not_allowed"];

/** Fails unless the answer's status, its headers, its JSON and its problem's code are declared. */
export function expectDeclared(method: string, url: string, answer: Response, text: string) {
  const operation = operationAt(method, new URL(url).pathname);
  const declared = operation?.answers[answer.status];
  if (declared) {
    const names = Object.keys(declared.headers?.shape ?? {});
    declared.headers?.parse(Object.fromEntries(names.map((name) => [name, answer.headers.get(name) ?? undefined])));
    if (method !== "HEAD") declared.body?.json?.parse(JSON.parse(text));
    return;
  }
  const codes = operation ? problemsOf(operation) : ELSEWHERE;
  const possible = codes.filter((code) => PROBLEMS[code].status === answer.status);
  if (method === "HEAD") expect(possible).not.toEqual([]);
  else expect(possible).toContain(JSON.parse(text).code);
}

function operationAt(method: string, path: string): Operation | undefined {
  return Object.values(OPERATIONS).find(
    (operation) =>
      (operation.method === method || (operation.method === "GET" && method === "HEAD")) &&
      new RegExp(`^${operation.path.replace(/\{\w+\}/g, "[^/]+")}$`).test(path),
  );
}
