// What it means that `fetch` fails.

/** What runtimes call a connection that can't be had. */
const UNREACHABLE = /REFUSED|NOTFOUND/i;
/**
 * What Deno says of one, and workerd where the invocation that something would be sent for has ended. With their spaces
 * they are no part of a URL.
 */
const NOT_SENT = /client error \(Connect\)|different request/;

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
  const isUnreachable = UNREACHABLE.test(reason) || NOT_SENT.test(message + cause?.message);
  return { code: isUnreachable ? "unreachable" : "network", reason };
}
