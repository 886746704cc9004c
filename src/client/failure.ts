// What it means that `fetch` fails.

/** What runtimes call a connection that can't be had by a code, and Deno in a message; with its spaces that is no part of a URL. */
const UNREACHABLE = /REFUSED|NOTFOUND/i;
/** workerd's refusal to send anything for an invocation that has ended. */
const ENDED = /different request/;
const NOT_CONNECTED = /client error \(Connect\)/;

/** As `fetch` throws it: the code is in the error or in its cause. */
interface Failure extends Error {
  code?: string;
  cause?: { code?: string; message?: string };
}

/**
 * "unreachable" where there was no connection, so that nothing was sent, or else "network". The reason is one word: more
 * of the error may hold the URL, and that the key.
 */
export function failureOf(error: unknown): { code: "unreachable" | "network"; reason: string } {
  const { name, code = name, cause, message } = error as Failure;
  const reason = cause?.code ?? code;
  const isUnreachable = UNREACHABLE.test(reason) || NOT_CONNECTED.test(`${cause?.message}`) || ENDED.test(message);
  return { code: isUnreachable ? "unreachable" : "network", reason };
}
