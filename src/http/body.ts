// How large a body may be.

import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { Problem } from "./problem.ts";

/** Refuses a body of more than `maxBytes` with 413, before it is read where its length is announced. */
export function limitBody(maxBytes: number, code: string, detail: string) {
  const onError = () => {
    throw new Problem(413, code, detail);
  };
  // Counts while the body streams. Making a stream of the body costs more than the rest of a request, so only where
  // no length is announced.
  const counting = bodyLimit({ maxSize: maxBytes, onError });
  return createMiddleware(async (c, next) => {
    const length = c.req.header("Content-Length");
    if (length === undefined || c.req.header("Transfer-Encoding") !== undefined) return counting(c, next);
    if (Number(length) > maxBytes) onError();
    await next();
  });
}
