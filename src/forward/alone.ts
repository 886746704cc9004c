// A request that is sent on as it is.

import type { KVError } from "../client/error.ts";
import { failureOf } from "../client/failure.ts";
import { REDIS_PATH } from "../http/compat/redis/redis.ts";
import { rawPath, rawQuery } from "../http/path.ts";
import { Problem } from "../http/problem.ts";
import { StoreError } from "../store/error.ts";

/** Of one connection, or made anew for the next one. */
const NOT_SENT_ON = [
  "Host",
  "Connection",
  "Keep-Alive",
  "Transfer-Encoding",
  "Content-Length",
  "Upgrade",
  "TE",
  "Trailer",
];
const NOT_SENT_BACK = ["Connection", "Keep-Alive", "Transfer-Encoding", "Date"];
const REPAIRED = new Problem("ambiguous_path");

/**
 * What the first of the servers answers that can be reached, or, of those asked to read only, the first that answers.
 * Throws a StoreError where none does, and a 400 for a path that `fetch` would change.
 */
export async function forwardAlone(
  request: Request,
  body: Buffer | undefined,
  urls: string[],
  timeoutMs: number,
): Promise<Response> {
  const path = rawPath(request);
  const headers = without(request.headers, NOT_SENT_ON);
  headers.set("Accept-Encoding", "identity");
  let detail = "";
  for (const url of urls) {
    const target = new URL(url + path + rawQuery(request));
    if (target.pathname !== path) throw REPAIRED;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const { method } = request;
      const answer = await fetch(target, {
        method,
        headers,
        body: body as Uint8Array<ArrayBuffer> | undefined,
        redirect: "manual",
        signal,
      });
      const bytes = await answer.arrayBuffer();
      const isEmpty = method === "HEAD" || bytes.byteLength === 0;
      return new Response(isEmpty ? null : bytes, {
        status: answer.status,
        headers: without(answer.headers, method === "HEAD" ? NOT_SENT_BACK : [...NOT_SENT_BACK, "Content-Length"]),
      });
    } catch (error) {
      const failure = failureOf(error);
      detail = failure.detail;
      // workerd does not tell whether there was a connection.
      if (failure.code !== "unreachable" && mayWrite(request)) throw lost({ message: detail, outcomeUnknown: true });
    }
  }
  throw lost({ message: detail, outcomeUnknown: false });
}

function without(headers: Headers, names: string[]): Headers {
  const left = new Headers(headers);
  for (const name of names) left.delete(name);
  return left;
}

/** Redis's commands may come in the path of a GET. */
function mayWrite(request: Request): boolean {
  return !/^(GET|HEAD|OPTIONS)$/.test(request.method) || rawPath(request).startsWith(REDIS_PATH);
}

/** What a call came to that was not answered by the store: a write may have happened, unless surely nothing was sent. */
export function lost({ outcomeUnknown, message }: Pick<KVError, "outcomeUnknown" | "message">): StoreError {
  return new StoreError(outcomeUnknown ? "outcome_unknown" : "unavailable", message);
}
