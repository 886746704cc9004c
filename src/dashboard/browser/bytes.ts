// Keys and values as people read them.

import type { Key } from "../../client/index.ts";

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

export const bytesOf = (key: Key): Uint8Array => (typeof key === "string" ? encoder.encode(key) : key);

/** Undefined where it is not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A key, or a part of one, with `\xNN` for what can't be shown. */
export function labelOf(key: Key): string {
  const bytes = bytesOf(key);
  const text = textOf(bytes);
  const hex = (byte: number) => `\\x${byte.toString(16).padStart(2, "0")}`;
  if (text !== undefined) return text.replace(/\p{Cc}/gu, (character) => hex(character.charCodeAt(0)));
  return Array.from(bytes, (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : hex(byte))).join("");
}

/** Percent-encoded, as the key of a URL: one key has one such name. */
export function nameOf(key: Key): string {
  const text = textOf(bytesOf(key));
  if (text !== undefined) return encodeURIComponent(text);
  return Array.from(bytesOf(key), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

/** The key of such a name. */
export function keyOfName(name: string): Key {
  try {
    return decodeURIComponent(name);
  } catch {
    const bytes = name.match(/%[0-9a-f]{2}|[^%]/gi) ?? [];
    return Uint8Array.from(bytes, (each) =>
      each.startsWith("%") ? Number.parseInt(each.slice(1), 16) : each.charCodeAt(0),
    );
  }
}

/** As the store orders keys. */
export function compare(one: Uint8Array, other: Uint8Array): number {
  const shared = Math.min(one.length, other.length);
  for (let i = 0; i < shared; i++) {
    const difference = (one[i] as number) - (other[i] as number);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** Sixteen bytes a line: where it is, the bytes, and what they are in ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = [...bytes.subarray(at, at + 16)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = line.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `1.2 MB`, by thousands. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit > 0 && size < 100 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}

/** `2 d 3 h`, `4 min 5 s`: the two largest units. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count], i) => i === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
