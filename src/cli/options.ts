// Options that several commands share, and how their texts are read.

import type { Expiry, Json } from "../client/index.ts";
import { wrongUsage } from "./outcome.ts";

export const expiryArguments = {
  ttl: { type: "string", description: "Expire after so many seconds", valueHint: "seconds" },
  "ttl-ms": { type: "string", description: "Expire after so many milliseconds", valueHint: "ms" },
  "expires-at": { type: "string", description: "Expire then: RFC 3339, or seconds since 1970", valueHint: "time" },
} as const;

export const ifMatchArgument = {
  "if-match": { type: "string", description: "Only while the key has this ETag, or * for any", valueHint: "etag" },
} as const;

export const eventualArgument = {
  eventual: { type: "boolean", description: "Let a replica answer, which may be a little behind" },
} as const;

/** At most one is given; the store refuses several. */
export function expiryOf(args: { ttl?: string; "ttl-ms"?: string; "expires-at"?: string }): Expiry {
  const at = args["expires-at"];
  return {
    ttl: wholeNumber("--ttl", args.ttl),
    ttlMs: wholeNumber("--ttl-ms", args["ttl-ms"]),
    ...(at !== undefined && { expiresAt: timeOf(at) }),
  };
}

function timeOf(text: string): Date {
  const time = /^\d+$/.test(text) ? new Date(Number(text) * 1000) : new Date(text);
  if (Number.isNaN(time.getTime())) throw wrongUsage("--expires-at takes a time like 2030-01-31T12:00:00Z.");
  return time;
}

export function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wrongUsage(`${option} takes a whole number.`);
  return Number(text);
}

export function integer(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d{1,19}$/.test(text)) throw wrongUsage(`${option} takes an integer; a negative one as ${option}=-1.`);
  return BigInt(text.replace("+", ""));
}

export function json(option: string, text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw wrongUsage(`${option} takes JSON.`);
  }
}

/** An ETag may be given without its quotes, which shells eat. */
export function etag(text: string | undefined): string | undefined {
  return text === undefined || text === "*" || text.startsWith('"') ? text : `"${text}"`;
}

export const consistency = ({ eventual }: { eventual?: boolean }) => (eventual ? "eventual" : undefined);
