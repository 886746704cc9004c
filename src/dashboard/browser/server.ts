// The server that the page came from: how it is called, and what its refusals mean to whoever sits here.

import { createClient, KVError } from "../../client/index.ts";

/** Kept for as long as the tab is open, and nowhere else. */
const TOKEN = "vitess-kv token";
const BASE = new URL(".", location.href).href;

export const token = (): string => sessionStorage.getItem(TOKEN) ?? "";

export function keepToken(text: string) {
  if (text === "") sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, text);
}

/**
 * Each call is a request of its own, so that a token for reading alone will do. It is not sent again: the server has tried
 * for long, and whoever sits here is told at once.
 */
export function connect(namespace: string) {
  return createClient({ url: BASE, namespace, token: token() || undefined, batching: false, retries: 0 });
}

/** Throws a KVError, as the client does. */
export async function ask<T>(path: string, timeoutMs = 10_000): Promise<T> {
  const headers: Record<string, string> = token() === "" ? {} : { Authorization: `Bearer ${token()}` };
  let response: Response;
  let document: unknown;
  try {
    response = await fetch(BASE + path, { headers, signal: AbortSignal.timeout(timeoutMs) });
    document = await response.json();
  } catch {
    throw new KVError("network", "No answer came.");
  }
  if (response.ok) return document as T;
  const { code = `http_${response.status}`, detail = "The request failed." } = document as Record<string, string>;
  throw new KVError(code, detail, response.status);
}

const SENTENCES: Record<string, string> = {
  unauthorized: "The server asks for a token.",
  network: "The server does not answer.",
  unreachable: "The server does not answer.",
  timeout: "No answer came in time.",
  unavailable: "The database does not answer.",
  overloaded: "The server is overloaded and turns calls away.",
  draining: "This server is about to end.",
};
const PASSING = ["network", "unreachable", "timeout", "unavailable", "overloaded", "draining"];

/** Whether it may be over in a moment. */
export const isPassing = (error: unknown): boolean => error instanceof KVError && PASSING.includes(error.code);

export const isAboutToken = (error: unknown): boolean => error instanceof KVError && error.code === "unauthorized";

export function sentenceOf(error: unknown): string {
  if (!(error instanceof KVError)) return error instanceof Error ? error.message : String(error);
  if (error.outcomeUnknown) return "It is not known whether this was done: no answer came.";
  return SENTENCES[error.code] ?? error.message.replace(/^\w+: /, "");
}
