// Where a listing goes on: opaque to clients, kept by no server, and good for the query only that it was made for.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { ListRest } from "../store/store.ts";
import { Problem } from "./problem.ts";

const bytes = z.base64().transform((text) => Buffer.from(text, "base64"));
const id = z
  .string()
  .regex(/^[0-9a-f]{1,17}$/)
  .transform((text) => BigInt(`0x${text}`));
const cursor = z.union([
  z.strictObject({ q: z.string() }),
  z.strictObject({ q: z.string(), b: bytes }),
  z.strictObject({ q: z.string(), f: id, p: z.array(z.tuple([id, bytes.nullable()])).min(1) }),
]);

export const INVALID_CURSOR = new Problem("invalid_cursor");

/** `query` is everything that says what is listed; without a rest all of it is left. */
export function cursorOf(query: unknown, rest: ListRest | undefined): string {
  const base64 = (key: Buffer) => key.toString("base64");
  let left = {};
  if (rest && "bound" in rest) left = { b: base64(rest.bound) };
  else if (rest) {
    const parts = rest.parts.map(({ end, after }) => [end.toString(16), after && base64(after)]);
    left = { f: rest.from.toString(16), p: parts };
  }
  return Buffer.from(JSON.stringify({ q: digestOf(query), ...left })).toString("base64url");
}

/** Throws a 400 for what is no cursor of that query. */
export function restOf(query: unknown, text: string): ListRest | undefined {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    throw INVALID_CURSOR;
  }
  const { data } = cursor.safeParse(document);
  if (data?.q !== digestOf(query)) throw INVALID_CURSOR;
  if ("b" in data) return { bound: data.b };
  if (!("f" in data)) return undefined;
  return { from: data.f, parts: data.p.map(([end, after]) => ({ end, after })) };
}

function digestOf(query: unknown): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, 11);
}
