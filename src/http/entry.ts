// /v1/kv/{ns}/{key}: PUT, GET, HEAD and DELETE of one entry.

import { z } from "zod";
import type { Condition, EntryInfo, NewExpiry, Store } from "../store/store.ts";
import { answer } from "./answer.ts";
import { type BodyOptions, type Reserve, receive } from "./body.ts";
import { conditionOf, etagOf, evaluateRead, ifMatchOnly } from "./conditional.ts";
import { DEFAULT_CONTENT_TYPE, requireContentType, requireMetadata } from "./content.ts";
import { expiryOf, expiryParameters, noQuery, queryOf } from "./expiry.ts";
import { keyOf } from "./path.ts";
import { badRequest, NOT_FOUND, PRECONDITION_FAILED, Problem, problemAnswer } from "./problem.ts";
import { type Route, resource } from "./resource.ts";

export const readQuery = z.strictObject({ consistency: z.enum(["strong", "eventual"]).optional() });
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
  const expiry = newExpiry(query, query.keep_ttl === "true", condition, ttlJitter);
  const contentType = contentTypeOf(request.headers);
  const metadata = metadataOf(request.headers);
  const version = await receive(request, body, (value) =>
    store.put(key, { value, contentType, metadata, expiry }, condition, request.signal),
  );
  if (version === null) return problemAnswer(request, PRECONDITION_FAILED);
  return answer(request, 204, { ETag: etagOf(version) });
}

/**
 * A TTL is shortened by up to `ttlJitter` of it, so that what is written together does not expire together; but not that
 * of a lock or a lease, which conditions make of an entry: it must last for as long as its holder believes.
 */
export function newExpiry(
  fields: Parameters<typeof expiryOf>[0],
  keep: boolean,
  { ifMatch, ifNoneMatch }: Condition,
  ttlJitter: number,
): NewExpiry {
  const expiry = expiryOf(fields);
  const jitter = ifMatch || ifNoneMatch ? 0 : ttlJitter;
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
  return requireContentType(headers.get("Content-Type") || DEFAULT_CONTENT_TYPE);
}

function metadataOf(headers: Headers): string | null {
  const metadata = headers.get("KV-Metadata");
  return metadata === null ? null : requireMetadata(metadata);
}

async function getValue(request: Request, store: Store): Promise<Response> {
  const key = keyOf(request);
  const { consistency } = queryOf(request, readQuery);
  const condition = conditionOf(request);
  // HEAD's answer is the same without the body, so the value need not be fetched.
  const read = request.method === "HEAD" ? store.head : store.get;
  const entry: (EntryInfo & { value?: Buffer }) | null = await read.call(store, key, request.signal, consistency);
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
  if (expiry) headers["KV-Expires-At"] = String(expiry.atMs);
  return headers;
}
