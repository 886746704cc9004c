// /v1/kv/{ns}/{key}: PUT, GET, HEAD and DELETE of one entry.

import { z } from "zod";
import { CONTENT_TYPE_BYTES, METADATA_BYTES } from "../limits.ts";
import type { Condition, EntryInfo, NewExpiry, Store } from "../store/store.ts";
import { answer } from "./answer.ts";
import { type BodyOptions, type Reserve, receive } from "./body.ts";
import {
  conditionOf,
  etag,
  etagOf,
  evaluateRead,
  ifMatch,
  ifMatchOnly,
  readConditions,
  writeConditions,
} from "./conditional.ts";
import {
  DEFAULT_CONTENT_TYPE,
  metadataField,
  PRINTABLE_ASCII,
  requireContentType,
  requireMetadata,
} from "./content.ts";
import { answeredInstant, expiryOf, expiryParameters, instantOf } from "./expiry.ts";
import { callsOf, type Operations, READ_PROBLEMS, WRITE_PROBLEMS } from "./operation.ts";
import { keyOf } from "./path.ts";
import { NOT_FOUND, PRECONDITION_FAILED, Problem, problemAnswer } from "./problem.ts";
import { noQuery, queryOf } from "./validation.ts";

const PATH = "/v1/kv/{ns}/{key}";

/** Of every read. */
export const consistency = z
  .enum(["strong", "eventual"])
  .optional()
  .describe(
    "`strong`, the default, sees every write that was acknowledged before. `eventual` reads what a replica has: usually what was written a moment ago. What is more than ten seconds old is not answered: the primary is asked in place of a replica that is so far behind. For ten seconds it is answered also while a shard has no primary.",
  );

const metadata = z.string().regex(PRINTABLE_ASCII);
/** How many times longer a text is with its characters escaped, at most: two bytes of UTF-8 become \uXXXX. */
const ESCAPED = 3;
const kept = {
  ETag: etag,
  "KV-Metadata": metadata
    .max(ESCAPED * METADATA_BYTES)
    .optional()
    .describe("The metadata of the value, where it has any: JSON, in ASCII."),
  "KV-Expires-At": answeredInstant.optional().describe("When the key expires, where it does."),
  "Cache-Control": z
    .literal("no-cache, no-transform")
    .describe("A cache may keep the value, but has to revalidate it each time."),
};

export const operations = {
  putEntry: {
    method: "PUT",
    path: PATH,
    summary: "Sets a value",
    description:
      "The key may be there or not. The call takes one of `ttl`, `ttl_ms` and `expires_at`; without one of them the entry never expires, and an earlier expiry is removed.",
    query: z.strictObject({
      ...expiryParameters,
      keep_ttl: z
        .enum(["true", "false"])
        .optional()
        .describe("`true` keeps the expiry that the key has; a new key has none."),
    }),
    headers: z.object({
      ...writeConditions,
      "KV-Metadata": metadata
        .max(METADATA_BYTES)
        .optional()
        .describe(
          `A JSON document that is kept with the value and returned with it: at most ${METADATA_BYTES} bytes of ASCII.`,
        ),
    }),
    body: {
      types: ["text/plain", "*/*"],
      description: `The value, as raw bytes. Its \`Content-Type\` is kept and returned with it: at most ${CONTENT_TYPE_BYTES} printable ASCII characters, \`${DEFAULT_CONTENT_TYPE}\` by default.`,
    },
    answers: {
      204: { description: "The value is stored, on two machines' disks.", headers: z.object({ ETag: etag }) },
    },
    problems: [
      ...WRITE_PROBLEMS,
      "invalid_ttl",
      "invalid_precondition",
      "invalid_content_type",
      "invalid_metadata",
      "partial_put",
      "incomplete_body",
      "request_timeout",
      "precondition_failed",
      "value_too_large",
      "unsupported_content_encoding",
    ],
  },
  getEntry: {
    method: "GET",
    path: PATH,
    summary: "Reads a value",
    description:
      "A read sees every write that was acknowledged before the read began. `X-Content-Type-Options: nosniff` and a sandboxing `Content-Security-Policy` keep a stored page from running on this origin.",
    head: "Reads everything but the value",
    query: z.strictObject({ consistency }),
    headers: z.object(readConditions),
    answers: {
      200: {
        description: "The value, with the content type that it was stored with.",
        headers: z.object(kept),
        body: { types: ["*/*"] },
      },
      304: { description: "`If-None-Match` names the version that is there.", headers: z.object(kept) },
    },
    problems: [...READ_PROBLEMS, "invalid_precondition", "not_found", "precondition_failed"],
  },
  deleteEntry: {
    method: "DELETE",
    path: PATH,
    summary: "Removes a key",
    description: "A key that is not there is no error, unless the call has `If-Match`.",
    headers: z.object({ "If-Match": ifMatch("Removes the key") }),
    answers: { 204: { description: "The key is not there any more." } },
    problems: [...WRITE_PROBLEMS, "invalid_precondition", "precondition_failed"],
  },
} satisfies Operations;

export interface EntryOptions {
  maxValueBytes: number;
  /** How long a value may take to arrive. */
  bodyTimeoutMs: number;
  ttlJitter?: number;
  /** Sets memory aside for values that are being received. */
  reserve?: Reserve;
}

export function entryCalls(store: Store, { maxValueBytes, bodyTimeoutMs, ttlJitter = 0, reserve }: EntryOptions) {
  const body: BodyOptions = {
    maxBytes: maxValueBytes,
    tooLarge: new Problem("value_too_large", `A value is at most ${maxValueBytes} bytes.`),
    timeoutMs: bodyTimeoutMs,
    reserve,
  };
  return callsOf(operations, {
    putEntry: (request) => putValue(request, store, body, ttlJitter),
    getEntry: (request) => getValue(request, store),
    deleteEntry: (request) => deleteValue(request, store),
  });
}

async function putValue(request: Request, store: Store, body: BodyOptions, ttlJitter: number): Promise<Response> {
  const key = keyOf(request);
  const query = queryOf(request, operations.putEntry.query);
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

type Told = Pick<EntryInfo, "version" | "metadata"> & { expiry: { atMs: number } | null };

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
  if (keep && expiry) throw new Problem("invalid_ttl", "keep_ttl=true keeps the expiry there is; give no other.");
  if (expiry && "afterMs" in expiry) {
    return { afterMs: Math.max(1, Math.round(expiry.afterMs * (1 - jitter * Math.random()))) };
  }
  return keep ? "keep" : (expiry ?? "never");
}

/** Throws a 400 or a 415 where a value comes with what can't be kept with it. */
export function contentTypeOf(headers: Headers): string {
  // Stored bytes are returned as they came, so whatever describes their encoding would have to be kept as well.
  if (headers.get("Content-Encoding")) {
    throw new Problem("unsupported_content_encoding");
  }
  if (headers.get("Content-Range")) {
    throw new Problem("partial_put");
  }
  return requireContentType(headers.get("Content-Type") || DEFAULT_CONTENT_TYPE);
}

function metadataOf(headers: Headers): string | null {
  const metadata = headers.get("KV-Metadata");
  return metadata === null ? null : requireMetadata(metadata);
}

async function getValue(request: Request, store: Store): Promise<Response> {
  const key = keyOf(request);
  const { consistency } = queryOf(request, operations.getEntry.query);
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

/** What an answer tells of an entry beside its content type and length. */
export function entryHeaders({ version, metadata, expiry }: Told): Record<string, string> {
  const headers: Record<string, string> = {
    ETag: etagOf(version),
    // A cache may keep it but must ask every time: anything else would serve overwritten or expired values. What changes
    // the bytes on their way, to compress them, has to weaken the tag as well, which If-Match would then refuse.
    "Cache-Control": "no-cache, no-transform",
  };
  if (metadata !== null) headers["KV-Metadata"] = metadataField(metadata);
  if (expiry) headers["KV-Expires-At"] = instantOf(expiry.atMs);
  return headers;
}
