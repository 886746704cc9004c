// What Cloudflare's REST API and the binding `env.KV` have in common: names of keys, expiry, metadata, pages of names, and
// reads of many keys. Each becomes what the native call would have asked for.

import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { LIST_ENTRIES, METADATA_BYTES, TTL_MS } from "../../limits.ts";
import type { EntryInfo, EntryKey, Store } from "../../store/store.ts";
import { Batch } from "../batch.ts";
import type { Outcome } from "../batched.ts";
import { byteParametersOf } from "../bytes.ts";
import type { ProblemCode } from "../codes.ts";
import { isJson } from "../content.ts";
import { cursorOf, restOf } from "../cursor.ts";
import { boundsOf, listPage } from "../list.ts";
import { keyIn } from "../path.ts";
import { Problem } from "../problem.ts";
import type { Rights } from "../rights.ts";
import { validated } from "../validation.ts";
import type { InterfaceOptions } from "./interface.ts";

/** Keys that one call reads at most, as Cloudflare has it. */
const BULK_READ_KEYS = 100;

/** Seconds as both interfaces take them, down to the milliseconds that the store keeps. */
const SECONDS = /^\d{1,12}(?:\.\d{1,3}0*)?$/;
const seconds = z
  .string()
  .regex(SECONDS, "must be seconds")
  .transform((text) => Math.round(Number(text) * 1000));
const secondsInJson = z.number().transform(String).pipe(seconds);

/** Both in milliseconds. */
interface Expiration {
  expiration?: number;
  expiration_ttl?: number;
}
export const expirationParameters = { expiration: seconds.optional(), expiration_ttl: seconds.optional() };
export const expirationFields = { expiration: secondsInJson.optional(), expiration_ttl: secondsInJson.optional() };

/** Text of which UTF-8 can be made: a surrogate alone would become another character. */
export const wellFormed = z.string().refine((text) => text.isWellFormed(), "must be Unicode");

/** The entry whose key a segment of a request's path names. Keys are text here. Throws a 400 when it names none. */
export function namedEntry(request: Request, namespace: string, segment: string): EntryKey {
  const key = keyIn(request, namespace, segment);
  if (!isUtf8(key)) throw new Problem("invalid_key", "A key is text in UTF-8 here.");
  return key;
}

/** A request's parameters as the schema's, each of which may be left out. Throws a 400 as the native calls do. */
export function parametersOf<T>(request: Request, schema: z.ZodType<T>): T {
  // As most requests are.
  if (!request.url.includes("?")) return {} as T;
  return validated(schema, byteParametersOf(request), "invalid_parameter");
}

/** An expiry as the native calls take it. A time to live wins over an instant; neither may be over. */
export function expiryFieldsOf({ expiration, expiration_ttl }: Expiration): { ttl_ms?: number; expires_at?: number } {
  if (expiration_ttl !== undefined) {
    if (expiration_ttl > 0 && expiration_ttl <= TTL_MS) return { ttl_ms: expiration_ttl };
    throw new Problem("invalid_ttl", "expiration_ttl is seconds, more than 0, at most 100 years.");
  }
  if (expiration === undefined) return {};
  // Whether the entry lives is decided by the clock of its shard's primary; this finds mistakes in units.
  if (expiration > Date.now()) return { expires_at: expiration };
  throw new Problem("invalid_ttl", "expiration is seconds since 1970, in the future.");
}

/** Seconds since 1970, as both interfaces answer when an entry expires. */
export function expirationOf(expiry: EntryInfo["expiry"]): number | undefined {
  return expiry ? Math.floor(expiry.atMs / 1000) : undefined;
}

/** Metadata that came as a text, in UTF-8; null is none. Throws a 400 for what can't be metadata. */
export function metadataFrom(bytes: Buffer): string | null {
  // White space between tokens, because strings have theirs escaped: as a header's value it must be one line.
  const text = bytes.toString("utf8").replace(/[\t\r\n]/g, " ");
  if (!isUtf8(bytes) || !isJson(text)) throw new Problem("invalid_metadata", "Metadata is JSON in UTF-8.");
  if (bytes.length > METADATA_BYTES) {
    throw new Problem("invalid_metadata", `Metadata is at most ${METADATA_BYTES} bytes.`);
  }
  return text.trim() === "null" ? null : text;
}

interface PageQuery {
  /** Bytes as characters (latin1), as `byteParametersOf` gives them. */
  prefix?: string;
  limit?: number;
  cursor?: string;
}

interface ListedName {
  name: string;
  /** In seconds since 1970. */
  expiration?: number;
  /** Its JSON text. */
  metadata: string | null;
}

/** A page of names in the order of their bytes, without keys that are no text. Throws a 400 for another query's cursor. */
export async function listNames(
  store: Store,
  request: Request,
  namespace: string,
  { prefix, limit = LIST_ENTRIES, cursor }: PageQuery,
): Promise<{ names: ListedName[]; cursor: string | undefined }> {
  const asked = [namespace, "names", prefix];
  const rest = cursor ? restOf(asked, cursor) : undefined;
  const bounds = boundsOf(namespace, { prefix });
  const page = await listPage(store, { ...bounds, order: "key", reverse: false, limit, rest }, request);
  return {
    names: page.entries
      .filter(({ key }) => isUtf8(key))
      .map(({ key, expiry, metadata }) => ({
        name: key.toString("utf8", namespace.length + 1),
        ...(expiry && { expiration: expirationOf(expiry) }),
        metadata,
      })),
    cursor: page.rest ? cursorOf(asked, page.rest) : undefined,
  };
}

export const bulkRead = z.strictObject({
  keys: z.array(wellFormed).min(1, "has a key").max(BULK_READ_KEYS, `has at most ${BULK_READ_KEYS} keys`),
  type: z.enum(["text", "json"]).optional(),
  withMetadata: z.boolean().optional(),
});

/** Values by key, null where there is none; with metadata, an object for each that is there. Throws what any of them does. */
export async function readMany(
  store: Store,
  request: Request,
  namespace: string,
  rights: Rights,
  { keys, type = "text", withMetadata = false }: z.infer<typeof bulkRead>,
  options: InterfaceOptions,
): Promise<Record<string, unknown>> {
  const names = [...new Set(keys)];
  const reads = names.map((key) => ({ op: "get", key }));
  const outcomes = await new Batch(store, request, namespace, rights, options).run(reads);
  return Object.fromEntries(names.map((name, i) => [name, found(outcomes[i] as Outcome, type, withMetadata)]));
}

function found(outcome: Outcome, type: "text" | "json", withMetadata: boolean): unknown {
  if (outcome.status === 404) return null;
  if (outcome.status !== 200) throw new Problem(outcome.code as ProblemCode, String(outcome.detail));
  const { value: text, value_base64, metadata, expires_at } = outcome;
  const value = typed(String(text ?? Buffer.from(String(value_base64), "base64")), type);
  if (!withMetadata) return value;
  const expiry = typeof expires_at === "string" ? { expiration: Math.floor(Date.parse(expires_at) / 1000) } : {};
  return { value, metadata, ...expiry };
}

function typed(text: string, type: "text" | "json"): unknown {
  if (type === "text") return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("invalid_value", "The value of one of the keys is not JSON.");
  }
}
