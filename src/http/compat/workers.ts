// The binding `env.KV` of Workers, as workerd sends it to a server that its configuration names. A header that the
// configuration adds says which namespace it is.

import { z } from "zod";
import { BATCH_BODY_BYTES } from "../../limits.ts";
import type { Store } from "../../store/store.ts";
import { answer, jsonAnswer } from "../answer.ts";
import { bearerToken } from "../auth.ts";
import { type BodyOptions, documentBody, receive } from "../body.ts";
import { DEFAULT_CONTENT_TYPE, metadataField } from "../content.ts";
import { contentTypeOf, newExpiry } from "../entry.ts";
import { parseJson } from "../json.ts";
import { pageLimit } from "../list.ts";
import type { Handler } from "../operation.ts";
import { namespaceIn, rawPath } from "../path.ts";
import { NOT_FOUND, Problem, problemAnswer } from "../problem.ts";
import { requireRight } from "../rights.ts";
import { noQuery, validated } from "../validation.ts";
import { type Door, type Interface, type InterfaceOptions, translated } from "./interface.ts";
import {
  bulkRead,
  expirationParameters,
  expiryFieldsOf,
  listNames,
  metadataFrom,
  namedEntry,
  parametersOf,
  readMany,
} from "./workers-kv.ts";

const NAMESPACE_HEADER = "KV-Namespace";
/** Only workerd's binding sends it. Its value is the URL that the binding asks for. */
const BINDING_HEADER = "CF-KV-FLPROD-405";
const METADATA_HEADER = "CF-KV-Metadata";

const LIST = "/";
const BULK_READ = "/bulk/get";
/** With a key for its name. */
export const ENTRY = "/:name";

const encoded = { urlencoded: z.literal("true").optional() };
/** Nothing is cached, so it has no effect. */
const cached = { cache_ttl: z.string().regex(/^\d+$/, "must be seconds").optional() };
/** Of most requests for an entry, all that there is. */
const PLAIN_QUERY = "?urlencoded=true";
const getQuery = z.strictObject({ ...encoded, ...cached });
const putQuery = z.strictObject({ ...encoded, ...expirationParameters });
const deleteQuery = z.strictObject(encoded);
const listQuery = z.strictObject({
  prefix: z.string().optional(),
  key_count_limit: pageLimit.optional(),
  cursor: z.string().optional(),
});
const bulkQuery = bulkRead.extend({ cacheTtl: z.string().optional() });

interface WorkersOptions extends InterfaceOptions {
  /** Whether the runtime makes text of a header's field as UTF-8, as on Workers; else each byte is a character. */
  decodesHeaders?: boolean;
}

/** Whether a request comes from a binding, whatever its path. */
export function isOfBinding({ headers }: Request): boolean {
  return headers.has(NAMESPACE_HEADER) || headers.has(BINDING_HEADER);
}

/** What answers every request of a binding, whose path alone does not tell that it is one. */
export function answeringBinding(binding: Interface, door: Door): (request: Request) => Promise<Response> {
  const answerAt = new Map([LIST, BULK_READ].map((path) => [path, translated(binding, path, door)]));
  const answerEntry = translated(binding, ENTRY, door);
  return (request) => (answerAt.get(rawPath(request)) ?? answerEntry)(request);
}

export function workersBinding(store: Store, options: WorkersOptions): Interface {
  const { maxValueBytes, bodyTimeoutMs: timeoutMs, reserve, decodesHeaders } = options;
  const tooLarge = new Problem("value_too_large", `A value is at most ${maxValueBytes} bytes.`);
  const body: BodyOptions = { maxBytes: maxValueBytes, tooLarge, timeoutMs, reserve };
  const bulkBody = documentBody(BATCH_BODY_BYTES, options);

  const get: Handler = async (request) => {
    const key = entryOf(request);
    entryParametersOf(request, getQuery);
    const entry = await store.get(key, request.signal);
    if (!entry) return problemAnswer(request, NOT_FOUND);
    const { value, metadata } = entry;
    return answer(
      request,
      200,
      { ...VALUE_HEADERS, ...(metadata !== null && { [METADATA_HEADER]: metadataField(metadata) }) },
      value,
    );
  };

  const put: Handler = async (request) => {
    const key = entryOf(request);
    const query = entryParametersOf(request, putQuery);
    const expiry = newExpiry(expiryFieldsOf(query), false, {}, options.ttlJitter ?? 0);
    const contentType = contentTypeOf(request.headers);
    const field = request.headers.get(METADATA_HEADER);
    const metadata = field === null ? null : metadataFrom(Buffer.from(field, decodesHeaders ? "utf8" : "latin1"));
    await receive(request, body, (value) =>
      store.put(key, { value, contentType, metadata, expiry }, {}, request.signal),
    );
    return answer(request, 204, {});
  };

  return {
    claims: { tokenOf: bearerToken, namespaceOf },
    calls: {
      [ENTRY]: {
        GET: get,
        PUT: put,
        DELETE: async (request) => {
          const key = entryOf(request);
          entryParametersOf(request, deleteQuery);
          await store.delete(key, undefined, request.signal);
          return answer(request, 204, {});
        },
      },
      [LIST]: {
        GET: async (request) => {
          const namespace = namespaceOf(request);
          const query = parametersOf(request, listQuery);
          const { names, cursor } = await listNames(store, request, namespace, {
            ...query,
            limit: query.key_count_limit,
          });
          // workerd makes documents of metadata that is text.
          const keys = names.map(({ metadata, ...name }) => ({ ...name, ...(metadata !== null && { metadata }) }));
          return jsonAnswer(request, cursor ? { keys, list_complete: false, cursor } : { keys, list_complete: true });
        },
      },
      [BULK_READ]: {
        POST: async (request, rights) => {
          const namespace = namespaceOf(request);
          parametersOf(request, noQuery);
          requireRight(rights, "read");
          const { cacheTtl: _, ...query } = await receive(request, bulkBody, (bytes) =>
            validated(bulkQuery, parseJson(bytes), "invalid_batch"),
          );
          return jsonAnswer(request, await readMany(store, request, namespace, rights, query, options));
        },
      },
    },
    refusal: (request, problem, requestId) => {
      // To a GET, 404 says that there is no such key.
      const isMistaken = problem.status === 404 && problem !== NOT_FOUND;
      return problemAnswer(request, isMistaken ? new Problem("invalid_parameter", problem.detail) : problem, requestId);
    },
  };
}

const VALUE_HEADERS = { "Content-Type": DEFAULT_CONTENT_TYPE, "Cache-Control": "no-cache, no-transform" };

function namespaceOf({ headers }: Request): string {
  const namespace = headers.get(NAMESPACE_HEADER);
  if (namespace !== null) return namespaceIn(namespace);
  throw new Problem("invalid_namespace", `The configuration of the binding adds no header ${NAMESPACE_HEADER}.`);
}

function entryParametersOf<T>(request: Request, schema: z.ZodType<T>): T {
  const { url } = request;
  const isPlain = url.endsWith(PLAIN_QUERY) && url.indexOf("?") === url.length - PLAIN_QUERY.length;
  return isPlain ? ({} as T) : parametersOf(request, schema);
}

function entryOf(request: Request) {
  return namedEntry(request, namespaceOf(request), rawPath(request).slice(1));
}
