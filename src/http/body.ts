// Reading a request's body: how large it may be, and what becomes of a request whose body ends early.

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
    if (length === undefined || c.req.header("Transfer-Encoding") !== undefined) return whole(counting(c, next));
    if (Number(length) > maxBytes) onError();
    await next();
  });
}

/** What reading a body gives. Where that fails the client has gone away in the middle of it: a 400, that nobody reads. */
export function whole<T>(reading: Promise<T>): Promise<T> {
  return reading.catch((error) => {
    if (error instanceof Problem) throw error;
    throw new Problem(400, "incomplete_body", "The body ended early; nothing was changed.");
  });
}
