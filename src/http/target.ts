// Whether a request means what its URL says. Runtimes make that URL from the request's target and its Host, and repair
// both on the way: `\\` becomes `/`, `a/..` goes, and bytes that are no UTF-8 become U+FFFD. A key that was repaired is
// another key, so what can't be known exactly is refused.

import { isRepaired, unescaped } from "./escapes.ts";
import { ENTRIES_PATH, ENTRY_PARTS, rawPath, refuseDots } from "./path.ts";
import { Problem } from "./problem.ts";

/** The patterns by which Bun's router finds the parts of a path in the bytes, before it makes a URL of them. */
export const ROUTES = ["/v1/kv/:ns", "/v1/kv/:ns/:key", ...ENTRY_PARTS.map((part) => `/v1/kv/:ns/:key/${part}`)];

/**
 * The parts of a path, by the names that its pattern has for them, as the runtime found them in the bytes that came, and
 * then unescaped as UTF-8.
 */
export type SentParts = Readonly<Record<string, string | undefined>>;

const PATH = new RegExp(`^${ENTRIES_PATH}[^/]+(?:/[^/]+(?:/(?:${ENTRY_PARTS.join("|")}))?)?$`);
const MALFORMED = /%(?![0-9A-Fa-f]{2})/;
const REPLACEMENTS = /\uFFFD+/g;
const REPAIRED_PATH = new Problem("ambiguous_path");

/** RFC 9110, section 7.2, and RFC 3986, section 3.2: a name or an address, and perhaps a port. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::(\d{0,5}))?$/;
const WRONG_HOST = new Problem("invalid_host");
/** Names by which only the machine itself reaches a server. */
const LOOPBACK_HOST = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])\.?(?::\d*)?$/i;
const FOREIGN_HOST = new Problem("foreign_host");

/**
 * Throws a 400 unless the URL of a request for an entry, or a namespace, is what was sent. `parts` are undefined where
 * the runtime found no such path in the bytes. What is wrong with a key by itself is left to whoever reads it.
 */
export function requireExactPath(request: { url: string }, parts: SentParts | undefined) {
  const path = rawPath(request);
  if (parts?.ns === undefined) {
    if (PATH.test(path)) throw REPAIRED_PATH;
    return;
  }
  const rest = path.slice(ENTRIES_PATH.length);
  // As it is with most keys: nothing was escaped.
  const plain = parts.key === undefined ? parts.ns : `${parts.ns}/${parts.key}`;
  if (rest === plain || ENTRY_PARTS.some((part) => rest === `${plain}/${part}`)) return;
  if (parts.key !== undefined) refuseDots(parts.key);
  if (request.url.includes("#") || MALFORMED.test(rest)) return;
  const [ns = "", key, part] = rest.split("/");
  const isOther = (part !== undefined && !ENTRY_PARTS.includes(part)) || (key !== undefined && isRepaired(key));
  if (isOther || !isSame(ns, parts.ns) || !isSame(key, parts.key)) throw REPAIRED_PATH;
}

/**
 * The same where nothing but the URL is known, as on Workers: a backslash or a dot segment may have gone without a trace,
 * but bytes that are no UTF-8 have left one.
 */
export function requireUnrepairedPath(request: { url: string }) {
  const path = rawPath(request);
  if (isRepaired(path) && PATH.test(path)) throw REPAIRED_PATH;
}

/**
 * Makes what throws a 400 unless the URL of a request to another interface is what was sent. `pattern` is its path, with
 * `:name` for each part; `sent` is undefined where nothing but the URL is known.
 */
export function exactParts(pattern: string) {
  const names = pattern.split("/").flatMap((name, i) => (name.startsWith(":") ? [{ name: name.slice(1), i }] : []));
  return (request: { url: string }, sent: { parts: SentParts | undefined } | undefined) => {
    const path = rawPath(request);
    if (isRepaired(path)) throw REPAIRED_PATH;
    if (!sent || MALFORMED.test(path)) return;
    const { parts = {} } = sent;
    const segments = path.split("/");
    const isExact = names.every(({ name, i }) => isSame(segments[i], parts[name]));
    if (!isExact || Object.keys(parts).length > names.length) throw REPAIRED_PATH;
  };
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
function isSame(segment: string | undefined, text: string | undefined): boolean {
  if (segment === undefined || text === undefined || !segment.includes("%")) return segment === text;
  const sent = Buffer.from(unescaped(segment), "latin1").toString("utf8");
  return sent.replace(REPLACEMENTS, "\uFFFD") === text.replace(REPLACEMENTS, "\uFFFD");
}
