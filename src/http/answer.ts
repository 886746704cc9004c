// What every answer has, whatever it says. Each is made once with all its headers: changing those of a Response afterwards,
// as middleware does, costs more than the rest of a request.

import { randomUUID } from "node:crypto";

const REQUEST_ID = /^[\w\-=]{1,255}$/;

/** What logs and answers call a request: the X-Request-Id that came with it, or a new one each time this is asked. */
export function requestIdOf({ headers }: Request): string {
  const given = headers.get("X-Request-Id");
  return given !== null && REQUEST_ID.test(given) ? given : randomUUID();
}

/** An answer with these headers and those that every answer has; to HEAD, without the body but with its length. */
export function answer(
  request: Request,
  status: number,
  headers: Record<string, string>,
  body: string | Buffer | null = null,
  requestId = requestIdOf(request),
): Response {
  const isHead = request.method === "HEAD";
  return new Response(isHead ? null : (body as string | Uint8Array<ArrayBuffer> | null), {
    status,
    headers: {
      ...(isHead && body !== null && { "Content-Length": String(Buffer.byteLength(body)) }),
      "X-Request-Id": requestId,
      // Stored content can be anything, an HTML page too: it must not be sniffed, and must not run on this origin.
      "X-Content-Type-Options": "nosniff",
      "Content-Security-Policy": "default-src 'none'; sandbox",
      ...headers,
    },
  });
}

const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };

export function jsonAnswer(request: Request, document: unknown): Response {
  return answer(request, 200, JSON_HEADERS, JSON.stringify(document));
}
