// JSON that a request's body holds: an object that names a field twice means two things, so it is refused (RFC 8259,
// section 4, leaves open which counts).

import { Problem } from "./problem.ts";

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** Throws a 400 for what is no JSON in UTF-8, and for a field that is named twice. */
export function parseJson(bytes: Buffer): unknown {
  let text: string;
  let document: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    document = JSON.parse(text);
  } catch {
    throw new Problem("invalid_json", "The body is not JSON.");
  }
  if (hasFieldTwice(text)) throw new Problem("invalid_json", "The body names a field twice.");
  return document;
}

/** Of a text that is JSON. A string before a colon is a field of the innermost object. */
function hasFieldTwice(text: string): boolean {
  const open: Set<string>[] = [];
  let latest = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") latest = token;
    else {
      const fields = open.at(-1) as Set<string>;
      // Two spellings, one with escapes, are one name.
      const name = JSON.parse(latest);
      if (fields.has(name)) return true;
      fields.add(name);
    }
  }
  return false;
}
