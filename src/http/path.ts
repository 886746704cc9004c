// Which key a URL names: one percent-encoded segment, decoded strictly to bytes.

import { z } from "zod";
import { KEY_BYTES, NAMESPACE_PATTERN } from "../limits.ts";
import { type EntryKey, entryKey } from "../store/store.ts";
import { isWellEscaped, unescaped } from "./escapes.ts";
import { Problem } from "./problem.ts";

/** Below it are the namespaces. */
export const ENTRIES_PATH = "/v1/kv/";
/** What an entry's path may have behind its key. */
export const ENTRY_PARTS: readonly string[] = ["ttl", "increment"];

/** What stands in the paths of calls; read by hand below. */
export const pathParameters = {
  ns: z
    .string()
    .regex(NAMESPACE_PATTERN)
    .describe("The namespace: 1 to 64 letters, digits, `_` and `-`.")
    .meta({ example: "demo", param: { id: "ns" } }),
  key: z
    .string()
    .min(1)
    .max(KEY_BYTES)
    .describe(
      `The key: 1 to ${KEY_BYTES} bytes of any kind, percent-encoded as one segment of the path, in which \`/\` is written \`%2F\`. \`.\` and \`..\` can't be keys, because every URL parser removes them.`,
    )
    .meta({ example: "greeting", param: { id: "key" } }),
};

// Made once: a regular expression in a function is a new object at each call.
const PATH_END = /[?#]/;
const UNESCAPED = /^[^%\u0080-\uffff]*$/;
const DOT_KEY = /^\.\.?$/;
const DOT_KEY_REFUSED = new Problem(
  "invalid_key",
  "The keys '.' and '..' can't be addressed, because URL parsers remove them, escaped or not.",
);

/**
 * The path of a request's URL, still encoded: routing on it can never mistake an escaped slash for a real one. Where a
 * request names no host, Bun gives the path alone in place of a URL.
 */
export function rawPath({ url }: { url: string }): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(PATH_END);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
}

/** The query of a request's URL, with its `?`, where the URL has a host that could be one, and no fragment. */
export function rawQuery({ url }: { url: string }): string {
  const start = url.indexOf("?");
  return start === -1 ? "" : url.slice(start);
}

/** The namespace of what a request's URL names below `ENTRIES_PATH`. Throws a 400 when it names none. */
export function namespaceOf(request: { url: string }): string {
  return namespaceIn(segmentAt(rawPath(request), ENTRIES_PATH.length));
}

/** What stands in a path from `start` to the next slash. */
function segmentAt(path: string, start: number): string {
  const end = path.indexOf("/", start);
  return end === -1 ? path.slice(start) : path.slice(start, end);
}

/** The namespace that a segment of a path names. Throws a 400 when it names none. */
export function namespaceIn(segment: string): string {
  const namespace = decodeSegment(segment, "invalid_namespace");
  if (!NAMESPACE_PATTERN.test(namespace)) {
    throw new Problem("invalid_namespace");
  }
  return namespace;
}

/** The entry that a request's URL names. Throws a 400 when it names none. */
export function keyOf(request: { url: string }): EntryKey {
  const path = rawPath(request);
  const namespaceSegment = segmentAt(path, ENTRIES_PATH.length);
  const namespace = namespaceIn(namespaceSegment);
  return keyIn(request, namespace, segmentAt(path, ENTRIES_PATH.length + namespaceSegment.length + 1));
}

/** The entry whose key a segment of a request's path names. Throws a 400 when it names none. */
export function keyIn({ url }: { url: string }, namespace: string, segment: string): EntryKey {
  // A URL's fragment is never sent: a '#' here was meant as part of the key.
  if (url.includes("#")) throw new Problem("invalid_key", "A '#' in a key must be sent as %23.");
  return requireKey(namespace, decodeSegment(segment, "invalid_key"));
}

/** The entry of a key whose bytes are characters (latin1). Throws a 400 where it can't be one. */
export function requireKey(namespace: string, key: string): EntryKey {
  if (key.length === 0 || key.length > KEY_BYTES) {
    throw new Problem("invalid_key", `A key is 1 to ${KEY_BYTES} bytes.`);
  }
  // Not every runtime has removed it, but what stands in front of one may.
  refuseDots(key);
  return entryKey(namespace, key);
}

/** Throws a 400 for a key, unescaped, that no URL can name. */
export function refuseDots(key: string) {
  if (DOT_KEY.test(key)) throw DOT_KEY_REFUSED;
}

/**
 * The bytes of one path segment, each as a character (latin1): `%XX` is that byte, any other ASCII character itself,
 * anything else an error.
 */
function decodeSegment(segment: string, code: "invalid_namespace" | "invalid_key"): string {
  if (UNESCAPED.test(segment)) return segment;
  if (!isWellEscaped(segment)) {
    throw new Problem(code, "The path holds a malformed percent escape or a character that must be escaped.");
  }
  return unescaped(segment);
}
