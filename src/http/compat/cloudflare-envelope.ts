// The envelope of every answer of Cloudflare's REST API but values.

import { answer, jsonAnswer, requestIdOf } from "../answer.ts";
import type { ProblemCode } from "../codes.ts";
import type { Problem } from "../problem.ts";

/** Those that its clients know; any other problem has its status as its code. */
const CODES: Partial<Record<ProblemCode, number>> = {
  unauthorized: 10_000,
  forbidden: 10_000,
  not_found: 10_009,
  invalid_namespace: 10_013,
  no_such_route: 7_003,
  method_not_allowed: 7_001,
};
export const TITLE_EXISTS = 10_014;

export function success(request: Request, result: unknown, info?: object): Response {
  return jsonAnswer(request, { result, success: true, errors: [], messages: [], ...(info && { result_info: info }) });
}

export function failure(
  request: Request,
  { status, code, message }: { status: number; code: number; message: string },
  { headers = {}, requestId = requestIdOf(request), result = null as unknown } = {},
): Response {
  const envelope = { result, success: false, errors: [{ code, message }], messages: [] };
  const fixed = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  return answer(request, status, { ...headers, ...fixed }, JSON.stringify(envelope), requestId);
}

export function refusal(request: Request, problem: Problem, requestId: string): Response {
  const { code, detail, headers } = problem;
  // A namespace that can't be is one that is not there.
  const status = code === "invalid_namespace" ? 404 : problem.status;
  return failure(request, { status, code: CODES[code] ?? status, message: detail }, { headers, requestId });
}
