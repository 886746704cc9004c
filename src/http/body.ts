// Reading a request's body: how large it may be, how long it may take to arrive, and what becomes of a request whose
// body ends early.

import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { Problem } from "./problem.ts";

/**
 * Refuses a body of more than `maxBytes` with 413, before it is read where its length is announced. One without a length
 * is read here, for as long as `whole` waits; any other is left to the handler.
 */
export function limitBody(maxBytes: number, code: string, detail: string, timeoutMs: number) {
  const onError = () => {
    throw new Problem(413, code, detail);
  };
  // Counts while the body streams. Making a stream of the body costs more than the rest of a request, so only where
  // no length is announced.
  const counting = bodyLimit({ maxSize: maxBytes, onError });
  return createMiddleware(async (c, next) => {
    const length = c.req.header("Content-Length");
    if (length === undefined || c.req.header("Transfer-Encoding") !== undefined) {
      // Without what follows: that has bounds of its own.
      await whole(
        counting(c, async () => {}),
        timeoutMs,
      );
    } else if (Number(length) > maxBytes) onError();
    await next();
  });
}

/**
 * What reading a body gives. Where that takes longer it is a 408, however steadily bytes trickle in: a client holds
 * memory for what it has sent. Where it fails the client has gone away in the middle of it: a 400, that nobody reads.
 */
export async function whole<T>(reading: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooSlow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timedOut(timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([reading, tooSlow]);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(400, "incomplete_body", "The body ended early; nothing was changed.");
  } finally {
    clearTimeout(timer);
  }
}

function timedOut(timeoutMs: number) {
  const detail = `The body did not arrive within ${timeoutMs} ms; nothing was changed.`;
  // Else the connection would stay open for the rest of it.
  return new Problem(408, "request_timeout", detail, { Connection: "close" });
}
