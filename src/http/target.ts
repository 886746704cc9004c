// Whether a request means what its URL says. Runtimes make that URL from the request's target and its Host, and repair
// both on the way: `\\` becomes `/`, `a/..` goes, and bytes that are no UTF-8 become U+FFFD. A key that was repaired is
// another key, so what can't be known exactly is refused.

import { ENTRIES_PATH, rawPath, refuseDots } from "./path.ts";
import { badRequest } from "./problem.ts";

/** The patterns by which Bun's router finds the parts of an entry's path in the bytes, before it makes a URL of them. */
export const ENTRY_ROUTES = ["/v1/kv/:ns/:key", "/v1/kv/:ns/:key/ttl"] as const;

/** The parts of an entry's path as the runtime found them in the bytes that came, and then unescaped as UTF-8. */
export interface SentParts {
  ns: string;
  key: string;
}

const ENTRY_PATH = /^\/v1\/kv\/[^/]+\/[^/]+(\/ttl)?$/;
/** What a URL parser makes of a byte that is no UTF-8; who means this character may write it in lower case. */
const REPAIRED = "%EF%BF%BD";
const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const MALFORMED = /%(?![0-9A-Fa-f]{2})/;
const REPLACEMENTS = /\uFFFD+/g;
const REPAIRED_PATH = badRequest(
  "ambiguous_path",
  "The path holds '\\', a dot segment, or bytes that must be escaped: it can't be told which key it means. U+FFFD is sent as %ef%bf%bd.",
);

/** RFC 9110, section 7.2, and RFC 3986, section 3.2: a name or an address, and perhaps a port. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::(\d{0,5}))?$/;
const WRONG_HOST = badRequest("invalid_host", "Host must be one name or address, with a port or without.");
/** Names by which only the machine itself reaches a server. */
const LOOPBACK_HOST = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])\.?(?::\d*)?$/i;
const FOREIGN_HOST = badRequest(
  "foreign_host",
  "A server that lets everyone in takes requests for this machine only: localhost, 127.0.0.1 or [::1] in Host.",
);

/**
 * Throws a 400 unless the URL of a request for an entry is what was sent. `parts` are undefined where the runtime found
 * no entry's path in the bytes. What is wrong with a key by itself is left to whoever reads it.
 */
export function requireExactPath(request: { url: string }, parts: SentParts | undefined) {
  const path = rawPath(request);
  if (!parts) {
    if (ENTRY_PATH.test(path)) throw REPAIRED_PATH;
    return;
  }
  const rest = path.slice(ENTRIES_PATH.length);
  // As it is with most keys: nothing was escaped.
  if (rest === `${parts.ns}/${parts.key}` || rest === `${parts.ns}/${parts.key}/ttl`) return;
  refuseDots(parts.key);
  if (request.url.includes("#") || MALFORMED.test(rest)) return;
  const [ns = "", key = "", ttl] = rest.split("/");
  const isRepaired = (ttl !== undefined && ttl !== "ttl") || key.includes(REPAIRED);
  if (isRepaired || !isSame(ns, parts.ns) || !isSame(key, parts.key)) throw REPAIRED_PATH;
}

/**
 * The same where nothing but the URL is known, as on Workers: a backslash or a dot segment may have gone without a trace,
 * but bytes that are no UTF-8 have left one.
 */
export function requireUnrepairedPath(request: { url: string }) {
  const path = rawPath(request);
  if (path.includes(REPAIRED) && ENTRY_PATH.test(path)) throw REPAIRED_PATH;
}

/** Throws a 400 where a request has no host that could be one, or several; with `onlyLoopback` unless it is this machine. */
export function requireHost({ headers }: { headers: Headers }, onlyLoopback: boolean) {
  const host = headers.get("Host");
  if (!host) return;
  const [whole, port] = HOST.exec(host) ?? [];
  if (whole === undefined || Number(port ?? 0) > 65_535) throw WRONG_HOST;
  if (onlyLoopback && !LOOPBACK_HOST.test(host)) throw FOREIGN_HOST;
}

/** Whether a segment, unescaped, gives that text; decoders differ in how many U+FFFD they make of what is no UTF-8. */
function isSame(segment: string, text: string): boolean {
  if (!segment.includes("%")) return segment === text;
  const bytes = segment.replace(ESCAPE, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const unescaped = Buffer.from(bytes, "latin1").toString("utf8");
  return unescaped.replace(REPLACEMENTS, "\uFFFD") === text.replace(REPLACEMENTS, "\uFFFD");
}
