// How keys, values and options are written in URLs, in headers and in JSON.

import type { Expiry, Key, Value } from "./types.ts";

// A byte order mark is three bytes of a key or value like any others.
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export const textOf = (bytes: Uint8Array): string => lenient.decode(bytes);

/** A copy, so that the caller may go on writing into its own. */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  const view = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  return view.slice();
}

/** As text where it is UTF-8: a key given in either way is one key. */
function canonical(key: Key): Key {
  if (typeof key === "string") return key;
  try {
    return strict.decode(key);
  } catch {
    return key;
  }
}

/** Percent-encoded for a URL. Throws where it is text with half a surrogate pair. */
export function escaped(key: Key): string {
  const given = canonical(key);
  if (typeof given !== "string") return Array.from(given, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  // In capitals this is what URL parsers make of bytes that are not UTF-8, so the server takes it for a repaired path.
  return encodeURIComponent(given).replaceAll("%EF%BF%BD", "%ef%bf%bd");
}

/** The fields `name` or `name_base64` of a document, as what is given is text or bytes. */
export function field(name: "key" | "value", given: Value): Record<string, string> {
  if (typeof given === "string") return { [name]: given };
  let binary = "";
  for (const byte of bytesOf(given)) binary += String.fromCharCode(byte);
  return { [`${name}_base64`]: btoa(binary) };
}

export const keyField = (key: Key) => field("key", canonical(key) as Value);

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Without what is undefined. */
export function defined<T>(fields: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<string, T>;
}

/** A query string of what is not undefined. */
export function query(parameters: Record<string, Key | number | boolean | undefined>): string {
  const pairs = Object.entries(defined(parameters)).map(
    ([name, value]) => `${name}=${escaped(typeof value === "object" ? value : String(value))}`,
  );
  return pairs.length ? `?${pairs.join("&")}` : "";
}

export function expiryOf({ ttl, ttlMs, expiresAt }: Expiry) {
  return { ttl, ttl_ms: ttlMs, expires_at: expiresAt?.toISOString() };
}

/** As JSON can say it exactly: a number, or decimal text beyond 2^53. */
export function integer(given: number | bigint | undefined): number | string | undefined {
  if (given === undefined) return undefined;
  return Number.isSafeInteger(Number(given)) ? Number(given) : String(given);
}

/** For a header, which holds ASCII only; there is none of undefined. */
export function asciiJson(document: unknown): string | undefined {
  return JSON.stringify(document)?.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
