// The wording of every error: RFC 9457 problem details with a stable `code`. Never a key or a value in them.

import type { StoreError } from "../store/error.ts";
import { answer, requestIdOf } from "./answer.ts";

type Status = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 412 | 413 | 415 | 500 | 503;

/** Thrown by handlers for anything that is not an answer of the store. */
export class Problem extends Error {
  constructor(
    readonly status: Status,
    /** Stable, for programs. */
    readonly code: string,
    /** A sentence for people. */
    readonly detail: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
  }
}

export const badRequest = (code: string, detail: string) => new Problem(400, code, detail);

// Answers that are as frequent as any, so they are returned and not thrown.
export const NOT_FOUND = new Problem(404, "not_found", "There is no such key, or it has expired.");
export const PRECONDITION_FAILED = new Problem(
  412,
  "precondition_failed",
  "The precondition does not hold; nothing was changed.",
);

export const OVERLOADED = new Problem(
  503,
  "overloaded",
  "Too many calls are waiting; nothing was changed. Try again later.",
  { "Retry-After": "1" },
);

const STORE_PROBLEMS: Record<StoreError["code"], Problem> = {
  unavailable: new Problem(
    503,
    "unavailable",
    "The database could not be reached in time; nothing was changed. Try again.",
    { "Retry-After": "1" },
  ),
  overloaded: OVERLOADED,
  outcome_unknown: new Problem(
    503,
    "outcome_unknown",
    "The write was sent but its outcome is not known: it may have been applied. Read the key to find out.",
  ),
  internal: new Problem(500, "internal", "The database refused the statement; nothing was changed."),
};

export const problemOf = ({ code }: StoreError): Problem => STORE_PROBLEMS[code];

const TITLES: Record<Status, string> = {
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
