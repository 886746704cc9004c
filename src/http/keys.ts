// /v1/kv/{ns}/{key}: PUT, GET, HEAD and DELETE of one entry.

import type { Context, Hono } from "hono";
import { z } from "zod";
import type { AppEnv } from "../app.ts";
import { CONTENT_TYPE_BYTES, METADATA_BYTES } from "../limits.ts";
import type { EntryInfo, NewExpiry, Store } from "../store/store.ts";
import { limitBody, whole } from "./body.ts";
import { conditionOf, etagOf, evaluateRead, ifMatchOnly } from "./conditional.ts";
import { expiryOf, expiryParameters, queryOf } from "./expiry.ts";
import { keyOf } from "./key.ts";
import { badRequest, notFound, Problem, preconditionFailed } from "./problem.ts";
import { resource } from "./resource.ts";

const DEFAULT_CONTENT_TYPE = "application/octet-stream";
/** Field values that are the same bytes in every runtime and on every hop. */
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

const readQuery = z.strictObject({ consistency: z.enum(["strong", "eventual"]).optional() });
const writeQuery = z.strictObject({ ...expiryParameters, keep_ttl: z.enum(["true", "false"]).optional() });
const noQuery = z.strictObject({});

export interface KeyOptions {
  maxValueBytes: number;
  /** How long a value may take to arrive. */
  bodyTimeoutMs: number;
  ttlJitter?: number;
}

export function keyRoutes(
  app: Hono<AppEnv>,
  store: Store,
  { maxValueBytes, bodyTimeoutMs, ttlJitter = 0 }: KeyOptions,
) {
  const tooLarge = `A value is at most ${maxValueBytes} bytes.`;
  const limit = limitBody(maxValueBytes, "value_too_large", tooLarge, bodyTimeoutMs);
  resource(app, "/v1/kv/:ns/:key", {
    PUT: [limit, (c) => putValue(c, store, { bodyTimeoutMs, ttlJitter })],
    GET: (c) => getValue(c, store),
    DELETE: async (c) => {
      const key = keyOf(c.req.raw);
      queryOf(c, noQuery);
      if (!(await store.delete(key, ifMatchOnly(c)))) throw preconditionFailed();
      return c.body(null, 204);
    },
  });
}

async function putValue(
  c: Context<AppEnv>,
  store: Store,
  { bodyTimeoutMs, ttlJitter }: { bodyTimeoutMs: number; ttlJitter: number },
) {
  const key = keyOf(c.req.raw);
  const query = queryOf(c, writeQuery);
  const condition = conditionOf(c);
  // A lock or a lease, which conditions make of an entry, must last for as long as its holder believes.
  const isPlain = !condition.ifMatch && !condition.ifNoneMatch;
  const expiry = newExpiry(query, query.keep_ttl === "true", isPlain ? ttlJitter : 0);
  const contentType = contentTypeOf(c);
  const metadata = metadataOf(c);
  const value = Buffer.from(await whole(c.req.arrayBuffer(), bodyTimeoutMs));
  const version = await store.put(key, { value, contentType, metadata, expiry }, condition);
  if (version === null) throw preconditionFailed();
  return c.body(null, 204, { ETag: etagOf(version) });
}

/** A TTL is shortened by up to `jitter` of it, so that what is written together does not expire together. */
function newExpiry(query: Parameters<typeof expiryOf>[0], keep: boolean, jitter: number): NewExpiry {
  const expiry = expiryOf(query);
  if (keep && expiry) throw badRequest("invalid_ttl", "keep_ttl=true keeps the expiry there is; give no other.");
  if (expiry && "afterMs" in expiry) {
    return { afterMs: Math.max(1, Math.round(expiry.afterMs * (1 - jitter * Math.random()))) };
  }
  return keep ? "keep" : (expiry ?? "never");
}

function contentTypeOf(c: Context): string {
  // Stored bytes are returned as they came, so whatever describes their encoding would have to be kept as well.
  if (c.req.header("Content-Encoding")) {
    throw new Problem(415, "unsupported_content_encoding", "Send the value without Content-Encoding.");
  }
  if (c.req.header("Content-Range")) {
    throw badRequest("partial_put", "A PUT with Content-Range would replace the whole value.");
  }
  const contentType = c.req.header("Content-Type") || DEFAULT_CONTENT_TYPE;
  if (contentType.length > CONTENT_TYPE_BYTES || !PRINTABLE_ASCII.test(contentType)) {
    throw badRequest(
      "invalid_content_type",
      `Content-Type is at most ${CONTENT_TYPE_BYTES} printable ASCII characters.`,
    );
  }
  return contentType;
}

function metadataOf(c: Context): string | null {
  const metadata = c.req.header("KV-Metadata");
  if (metadata === undefined) return null;
  if (metadata.length > METADATA_BYTES || !PRINTABLE_ASCII.test(metadata) || !isJson(metadata)) {
    throw badRequest(
      "invalid_metadata",
      `KV-Metadata is JSON of at most ${METADATA_BYTES} bytes in ASCII; write other characters as \\uXXXX.`,
    );
  }
  return metadata;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function getValue(c: Context<AppEnv>, store: Store) {
  const key = keyOf(c.req.raw);
  queryOf(c, readQuery);
  // Hono sends a GET's answer to HEAD without its body, so the value need not be fetched.
  const entry: (EntryInfo & { value?: Buffer }) | null =
    c.req.method === "HEAD" ? await store.head(key) : await store.get(key);
  if (!entry) throw notFound();
  switch (evaluateRead(c, entry.version)) {
    case "failed":
      throw preconditionFailed();
    case "not_modified":
      return c.body(null, 304, entryHeaders(entry));
    case "send": {
      const headers = {
        ...entryHeaders(entry),
        "Content-Type": entry.contentType,
        "Content-Length": String(entry.valueBytes),
      };
      return entry.value ? c.body(entry.value as Uint8Array<ArrayBuffer>, 200, headers) : c.body(null, 200, headers);
    }
  }
}

function entryHeaders({ version, metadata, expiry }: EntryInfo): Record<string, string> {
  return {
    ETag: etagOf(version),
    // A cache may keep it but must ask every time: anything else would serve overwritten or expired values. What changes
    // the bytes on their way, to compress them, has to weaken the tag as well, which If-Match would then refuse.
    "Cache-Control": "no-cache, no-transform",
    ...(metadata !== null && { "KV-Metadata": metadata }),
    ...(expiry && { "KV-Expires-At": String(expiry.atMs) }),
  };
}
