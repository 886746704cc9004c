// The wording of every error: RFC 9457 problem details with a stable `code`. Never a key or a value in them.

import type { StoreError } from "../store/error.ts";
import { answer, requestIdOf } from "./answer.ts";
import { PROBLEMS, type ProblemCode, type ProblemStatus } from "./codes.ts";

/** Thrown by handlers for anything that is not an answer of the store. */
export class Problem extends Error {
  readonly status: ProblemStatus;

  constructor(
    readonly code: ProblemCode,
    /** A sentence for people. */
    readonly detail = PROBLEMS[code].detail,
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
    this.status = PROBLEMS[code].status;
  }
}

// Answers that are as frequent as any, so they are returned and not thrown.
export const NOT_FOUND = new Problem("not_found");
export const PRECONDITION_FAILED = new Problem("precondition_failed");

const RETRY_SOON = { "Retry-After": "1" };
export const OVERLOADED = new Problem("overloaded", undefined, RETRY_SOON);

const STORE_PROBLEMS: Record<StoreError["code"], Problem> = {
  unavailable: new Problem("unavailable", undefined, RETRY_SOON),
  overloaded: OVERLOADED,
  outcome_unknown: new Problem("outcome_unknown"),
  internal: new Problem("internal", "The database refused the statement; nothing was changed."),
};

export const problemOf = ({ code }: StoreError): Problem => STORE_PROBLEMS[code];

const TITLES: Record<ProblemStatus, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** What the answer to any problem has. */
export const PROBLEM_HEADERS = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };

/** The body of the answer to a problem. */
export function problemDocument({ status, code, detail }: Problem, requestId: string): string {
  return JSON.stringify({ type: "about:blank", title: TITLES[status], status, code, detail, request_id: requestId });
}

/** The answer to a problem. */
export function problemAnswer(request: Request, problem: Problem, requestId = requestIdOf(request)): Response {
  const headers = { ...problem.headers, ...PROBLEM_HEADERS };
  return answer(request, problem.status, headers, problemDocument(problem, requestId), requestId);
}
