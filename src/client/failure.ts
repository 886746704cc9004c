// What it means that `fetch` fails.

/** What runtimes call a connection that can't be had, by a code; messages with spaces are no part of a URL that they tell. */
const UNREACHABLE = /REFUSED|NOTFOUND/i;
/** The same in Deno, and workerd's refusal to begin a request for another invocation than the one at work. */
const NOT_SENT = /client error \(Connect\)|: SpanParent/;

/** As `fetch` throws it: the code is in the error or in its cause. */
interface Failure extends Error {
  code?: string;
  cause?: { code?: string; message?: string };
}

/**
 * "unreachable" where there was no connection, so that nothing was sent, or else "network". No more of the error than one
 * word is told, for it may hold the URL, and that the key.
 */
export function failureOf(error: unknown): { code: "unreachable" | "network"; detail: string } {
  const { name, code = name, cause, message } = error as Failure;
  const reason = cause?.code ?? code;
  const isUnreachable = UNREACHABLE.test(reason) || NOT_SENT.test(message + cause?.message);
  return { code: isUnreachable ? "unreachable" : "network", detail: `No answer came (${reason}).` };
}
