// Turns calls away before anything else is done for them. Under a load far beyond what can be done these are most
// calls, and whatever they cost is taken from those that were let in, whose answers wait in the same event loop.
// Hence no look at the headers: they would be copied for it.

import { ENTRIES_PATH, rawPath } from "./path.ts";
import { OVERLOADED, PROBLEM_HEADERS, problemDocument } from "./problem.ts";

const HEADERS = {
  ...OVERLOADED.headers,
  ...PROBLEM_HEADERS,
  "X-Content-Type-Options": "nosniff",
};

/** The answer to a call on an entry while there is no room for it; undefined for every other request. */
export function turnAway(request: Request): Response | undefined {
  if (!rawPath(request).startsWith(ENTRIES_PATH)) return undefined;
  const requestId = crypto.randomUUID();
  const document = problemDocument(OVERLOADED, requestId);
  const isHead = request.method === "HEAD";
  return new Response(isHead ? null : document, {
    status: OVERLOADED.status,
    // To HEAD with the length that GET's answer has.
    headers: { ...HEADERS, "X-Request-Id": requestId, ...(isHead && { "Content-Length": String(document.length) }) },
  });
}
