// When an entry shall expire, as a query string or a JSON document says it.

import { z } from "zod";
import { TTL_MS } from "../limits.ts";
import type { EntryInfo, ExpiryTime } from "../store/store.ts";
import { badRequest } from "./problem.ts";

const positive = z.number().int().positive();
/** The three spellings: seconds from now, milliseconds from now, seconds since the epoch. */
export const expiryFields = { ttl: positive.optional(), ttl_ms: positive.optional(), expires_at: positive.optional() };

/** The expiry asked for, if any. Throws a 400 when two are, or one too far away. */
export function expiryOf(fields: { ttl?: number; ttl_ms?: number; expires_at?: number }): ExpiryTime | undefined {
  const { ttl, ttl_ms, expires_at } = fields;
  const given = [ttl, ttl_ms, expires_at].filter((field) => field !== undefined);
  if (given.length > 1) throw badRequest("invalid_ttl", "Give one of ttl, ttl_ms and expires_at.");
  if (given.length === 0) return undefined;
  const expiry: ExpiryTime =
    expires_at === undefined ? { afterMs: ttl_ms ?? (ttl ?? 0) * 1000 } : { atMs: expires_at * 1000 };
  // This process's clock serves for nothing but this bound on what is plausible.
  const afterMs = "atMs" in expiry ? expiry.atMs - Date.now() : expiry.afterMs;
  if (afterMs > TTL_MS) throw badRequest("invalid_ttl", "An expiry is at most 100 years away.");
  return expiry;
}

/** How an expiry is told in JSON. */
export function expiryDocument(expiry: EntryInfo["expiry"]) {
  return { ttl_ms: expiry?.ttlMs ?? null, expires_at: expiry && new Date(expiry.atMs).toISOString() };
}

const decimal = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number)
  .pipe(positive)
  .optional();
/** The same as query parameters. */
export const expiryParameters = { ttl: decimal, ttl_ms: decimal, expires_at: decimal };

/** Of calls that take no parameters. */
export const noQuery = z.strictObject({});

/** The query string as the schema's fields: unknown and repeated parameters are errors, never ignored. */
export function queryOf<T>({ url }: { url: string }, schema: z.ZodType<T>): T {
  const start = url.indexOf("?");
  // Most requests have none, and all parameters are optional.
  if (start === -1) return {} as T;
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(url.slice(start))) {
    if (name in query) throw badRequest("invalid_parameter", "A query parameter is given twice.");
    query[name] = value;
  }
  if ("" in query || "__proto__" in query) throw badRequest("invalid_parameter", "There is an unknown parameter.");
  return validated(schema, query, "invalid_parameter");
}

/** A value that must fit a schema; the 400 names the field, not what was in it. */
export function validated<T>(schema: z.ZodType<T>, input: unknown, code: string): T {
  const { success, data, error } = schema.safeParse(input);
  if (success) return data;
  const [issue] = error.issues;
  const field = String(issue?.path[0] ?? "");
  const detail = issue?.code === "unrecognized_keys" ? "There is an unknown parameter" : `${field}: ${issue?.message}`;
  throw badRequest(field in expiryFields ? "invalid_ttl" : code, `${detail}.`);
}
