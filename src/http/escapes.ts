// Percent-escapes, read as bytes and strictly: each character of what comes out is one byte (latin1).

// Made once: a regular expression in a function is a new object at each call.
const ESCAPED = /^(?:%[0-9A-Fa-f]{2}|[^%\u0080-\uffff])*$/;
const ESCAPE = /%(..)/g;
/** What a URL parser makes of a byte that is no UTF-8; who means this character may write it in lower case. */
const REPAIRED = "%EF%BF%BD";

/** Whether a text is ASCII in which every `%` begins an escape. */
export function isWellEscaped(text: string): boolean {
  return ESCAPED.test(text);
}

/** The bytes of a text that is well escaped. */
export function unescaped(text: string): string {
  return text.replace(ESCAPE, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Whether bytes may have been replaced on a text's way. */
export function isRepaired(text: string): boolean {
  return text.includes(REPAIRED);
}
