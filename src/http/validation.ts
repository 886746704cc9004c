// What a request says is held against a schema: its query string, or a document.

import { z } from "zod";
import type { ProblemCode } from "./codes.ts";
import { expiryFields } from "./expiry.ts";
import { Problem } from "./problem.ts";

/** Of calls that take no parameters. */
export const noQuery = z.strictObject({});

/** The query string as the schema's fields: unknown and repeated parameters are errors, never ignored. */
export function queryOf<T>({ url }: { url: string }, schema: z.ZodType<T>): T {
  const start = url.indexOf("?");
  // Most requests have none, and all parameters are optional.
  if (start === -1) return {} as T;
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(url.slice(start))) {
    if (name in query) throw new Problem("invalid_parameter", "A query parameter is given twice.");
    query[name] = value;
  }
  if ("" in query || "__proto__" in query) throw new Problem("invalid_parameter", "There is an unknown parameter.");
  return validated(schema, query, "invalid_parameter");
}

/** A value that must fit a schema; the 400 names the field, not what was in it. */
export function validated<T>(schema: z.ZodType<T>, input: unknown, code: ProblemCode): T {
  const { success, data, error } = schema.safeParse(input);
  if (success) return data;
  const [issue] = error.issues;
  const field = String(issue?.path[0] ?? "");
  const detail = issue?.code === "unrecognized_keys" ? "There is an unknown parameter" : `${field}: ${issue?.message}`;
  throw new Problem(field in expiryFields ? "invalid_ttl" : code, `${detail}.`);
}
