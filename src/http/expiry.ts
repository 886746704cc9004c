// When an entry shall expire, as a query string or a JSON document says it.

import { z } from "zod";
import { TTL_MS } from "../limits.ts";
import type { EntryInfo, ExpiryTime } from "../store/store.ts";
import { Problem } from "./problem.ts";

const NO_INSTANT = "must be whole seconds since 1970 or an instant such as 2026-11-27T03:40:00.123Z";
/** Digits of a second beyond its milliseconds are zeros: what could not be kept exactly is no instant. */
const WHOLE_MS = /^.{19}(?:\.\d{1,3}0*)?(?:Z|[+-].{5})$/;

const positive = z.number().int().positive();
const seconds = positive.max(TTL_MS / 1000).describe("Whole seconds from now.");
const milliseconds = positive.max(TTL_MS).describe("Whole milliseconds from now.");
const EXPIRES_AT =
  "An instant, as RFC 3339 writes it (`2026-11-27T03:40:00.123Z`) or as whole seconds since 1970 in UTC. One in the past removes the key.";

/** A number of a query string. */
const inText = (number: z.ZodNumber) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .pipe(number)
    .optional()
    .describe(number.description ?? "");

const secondsAsMs = (seconds: number) => seconds * 1000;
const epochSeconds = z
  .string()
  .regex(/^0*[1-9]\d{0,14}$/)
  .transform(Number)
  .transform(secondsAsMs);
/** RFC 3339, section 5.6, in capital letters and without leap seconds, which no clock here has. */
const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => WHOLE_MS.test(text))
  .transform(Date.parse);
const instantText = (error: string) => z.union([instant, epochSeconds], error).refine((epochMs) => epochMs > 0, error);

/** The three spellings in JSON. `expires_at` becomes milliseconds since the epoch. */
export const expiryFields = {
  ttl: seconds.optional(),
  ttl_ms: milliseconds.optional(),
  expires_at: z
    .union([positive.transform(secondsAsMs), instantText(NO_INSTANT)], NO_INSTANT)
    .optional()
    .describe(EXPIRES_AT),
};
/** The same as query parameters, of which a call takes one. */
export const expiryParameters = {
  ttl: inText(seconds),
  ttl_ms: inText(milliseconds),
  expires_at: instantText(`${NO_INSTANT}, a + in it sent as %2B`).optional().describe(EXPIRES_AT),
};

/** An instant as every answer writes it: RFC 3339 in UTC, with milliseconds. */
export const instantOf = (epochMs: number) => new Date(epochMs).toISOString();
/** What that is. */
export const answeredInstant = z.iso.datetime({ precision: 3 });

/** The expiry asked for, if any. Throws a 400 when two are, or one too far away. */
export function expiryOf(fields: { ttl?: number; ttl_ms?: number; expires_at?: number }): ExpiryTime | undefined {
  const { ttl, ttl_ms, expires_at } = fields;
  const given = [ttl, ttl_ms, expires_at].filter((field) => field !== undefined);
  if (given.length > 1) throw new Problem("invalid_ttl", "Give one of ttl, ttl_ms and expires_at.");
  if (given.length === 0) return undefined;
  const expiry: ExpiryTime =
    expires_at === undefined ? { afterMs: ttl_ms ?? secondsAsMs(ttl ?? 0) } : { atMs: expires_at };
  // This process's clock serves for nothing but this bound on what is plausible.
  if ("atMs" in expiry && expiry.atMs - Date.now() > TTL_MS)
    throw new Problem("invalid_ttl", "An expiry is at most 100 years away.");
  return expiry;
}

/** How an expiry is told in JSON. */
export function expiryDocument(expiry: EntryInfo["expiry"]) {
  return { ttl_ms: expiry?.ttlMs ?? null, expires_at: expiry && instantOf(expiry.atMs) };
}
/** What that is. */
export const answeredExpiry = {
  ttl_ms: z.int().min(0).nullable().describe("Milliseconds that are left; null where the key never expires."),
  expires_at: answeredInstant.nullable().describe("When the key expires; null where it never does."),
};
