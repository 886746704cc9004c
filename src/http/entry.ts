// /v1/kv/{ns}/{key}: PUT, GET, HEAD and DELETE of one entry.

import { z } from "zod";
import { CONTENT_TYPE_BYTES, METADATA_BYTES } from "../limits.ts";
import type { EntryInfo, NewExpiry, Store } from "../store/store.ts";
import { answer } from "./answer.ts";
import { type BodyOptions, type Reserve, receive } from "./body.ts";
import { conditionOf, etagOf, evaluateRead, ifMatchOnly } from "./conditional.ts";
import { expiryOf, expiryParameters, instantOf, noQuery, queryOf } from "./expiry.ts";
import { keyOf } from "./path.ts";
import { badRequest, NOT_FOUND, PRECONDITION_FAILED, Problem, problemAnswer } from "./problem.ts";
import { type Route, resource } from "./resource.ts";

const DEFAULT_CONTENT_TYPE = "application/octet-stream";
/** Field values that are the same bytes in every runtime and on every hop. */
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** A comma outside of quotes: what a runtime makes of two fields. */
const TWO_FIELDS = /^(?:[^",]|"(?:[^"\\]|\\.)*")*,/;

const readQuery = z.strictObject({ consistency: z.enum(["strong", "eventual"]).optional() });
const writeQuery = z.strictObject({ ...expiryParameters, keep_ttl: z.enum(["true", "false"]).optional() });

export interface KeyOptions {
  maxValueBytes: number;
  /** How long a value may take to arrive. */
  bodyTimeoutMs: number;
  ttlJitter?: number;
  /** Sets memory aside for values that are being received. */
  reserve?: Reserve;
}

export function keyRoutes(
  route: Route,
  store: Store,
  { maxValueBytes, bodyTimeoutMs, ttlJitter = 0, reserve }: KeyOptions,
) {
  const body: BodyOptions = {
    maxBytes: maxValueBytes,
    tooLarge: new Problem(413, "value_too_large", `A value is at most ${maxValueBytes} bytes.`),
    timeoutMs: bodyTimeoutMs,
    reserve,
  };
  resource(route, "/v1/kv/:ns/:key", {
    PUT: (request) => putValue(request, store, body, ttlJitter),
    GET: (request) => getValue(request, store),
    DELETE: (request) => deleteValue(request, store),
  });
}

async function putValue(request: Request, store: Store, body: BodyOptions, ttlJitter: number): Promise<Response> {
  const key = keyOf(request);
  const query = queryOf(request, writeQuery);
  const condition = conditionOf(request);
  // A lock or a lease, which conditions make of an entry, must last for as long as its holder believes.
  const isPlain = !condition.ifMatch && !condition.ifNoneMatch;
  const expiry = newExpiry(query, query.keep_ttl === "true", isPlain ? ttlJitter : 0);
  const contentType = contentTypeOf(request.headers);
  const metadata = metadataOf(request.headers);
  const version = await receive(request, body, (value) =>
    store.put(key, { value, contentType, metadata, expiry }, condition, request.signal),
  );
  if (version === null) return problemAnswer(request, PRECONDITION_FAILED);
  return answer(request, 204, { ETag: etagOf(version) });
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

function contentTypeOf(headers: Headers): string {
  // Stored bytes are returned as they came, so whatever describes their encoding would have to be kept as well.
  if (headers.get("Content-Encoding")) {
    throw new Problem(415, "unsupported_content_encoding", "Send the value without Content-Encoding.");
  }
  if (headers.get("Content-Range")) {
    throw badRequest("partial_put", "A PUT with Content-Range would replace the whole value.");
  }
  const contentType = headers.get("Content-Type") || DEFAULT_CONTENT_TYPE;
  const isLegible = contentType.length <= CONTENT_TYPE_BYTES && PRINTABLE_ASCII.test(contentType);
  if (!isLegible || TWO_FIELDS.test(contentType)) {
    throw badRequest(
      "invalid_content_type",
      `Content-Type is one media type of at most ${CONTENT_TYPE_BYTES} printable ASCII characters.`,
    );
  }
  return contentType;
}

function metadataOf(headers: Headers): string | null {
  const metadata = headers.get("KV-Metadata");
  if (metadata === null) return null;
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

async function getValue(request: Request, store: Store): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, readQuery);
  const condition = conditionOf(request);
  // HEAD's answer is the same without the body, so the value need not be fetched.
  const entry: (EntryInfo & { value?: Buffer }) | null =
    request.method === "HEAD" ? await store.head(key, request.signal) : await store.get(key, request.signal);
  if (!entry) return problemAnswer(request, NOT_FOUND);
  const decision = evaluateRead(condition, entry.version);
  if (decision === "failed") return problemAnswer(request, PRECONDITION_FAILED);
  const headers = entryHeaders(entry);
  if (decision === "not_modified") return answer(request, 304, headers);
  headers["Content-Type"] = entry.contentType;
  headers["Content-Length"] = String(entry.valueBytes);
  return answer(request, 200, headers, entry.value);
}

async function deleteValue(request: Request, store: Store): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, noQuery);
  const isDone = await store.delete(key, ifMatchOnly(request), request.signal);
  return isDone ? answer(request, 204, {}) : problemAnswer(request, PRECONDITION_FAILED);
}

function entryHeaders({ version, metadata, expiry }: EntryInfo): Record<string, string> {
  const headers: Record<string, string> = {
    ETag: etagOf(version),
    // A cache may keep it but must ask every time: anything else would serve overwritten or expired values. What changes
    // the bytes on their way, to compress them, has to weaken the tag as well, which If-Match would then refuse.
    "Cache-Control": "no-cache, no-transform",
  };
  if (metadata !== null) headers["KV-Metadata"] = metadata;
  if (expiry) headers["KV-Expires-At"] = instantOf(expiry.atMs);
  return headers;
}
