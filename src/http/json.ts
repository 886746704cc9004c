// JSON that a request's body holds: an object that names a field twice means two things, so it is refused (RFC 8259,
// section 4, leaves open which counts).

import { Problem } from "./problem.ts";

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
  if (hasFieldTwice(text, document)) throw new Problem("invalid_json", "The body names a field twice.");
  return document;
}

/** Of what `JSON.parse` has made of a text: it keeps one of the fields of a name. */
function hasFieldTwice(text: string, document: unknown): boolean {
  return namesIn(text) > fieldsIn(document);
}

/** How many strings of a JSON text have a colon behind them. */
function namesIn(text: string): number {
  let names = 0;
  for (let start = text.indexOf('"'); start !== -1; ) {
    let end = text.indexOf('"', start + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    let next = end + 1;
    while (isSpace(text.charCodeAt(next))) next += 1;
    if (text[next] === ":") names += 1;
    start = text.indexOf('"', next);
  }
  return names;
}

/** By an odd number of backslashes before it. */
function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text[start - 1] === "\\") start -= 1;
  return (at - start) % 2 === 1;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function fieldsIn(document: unknown): number {
  let fields = 0;
  // Not by recursion, because a document may be nested deeper than calls can be.
  const left: object[] = [];
  const find = (part: unknown) => {
    if (typeof part === "object" && part !== null) left.push(part);
  };
  find(document);
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (Array.isArray(part)) part.forEach(find);
    else {
      for (const name in part) {
        fields += 1;
        find((part as Record<string, unknown>)[name]);
      }
    }
  }
  return fields;
}
