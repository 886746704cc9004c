// Values, metadata and names of keys in Cloudflare's REST API.

import { z } from "zod";
import type { NewEntry, Store } from "../../store/store.ts";
import { answer } from "../answer.ts";
import { type BodyOptions, receive } from "../body.ts";
import { DEFAULT_CONTENT_TYPE, metadataDocument, metadataText, requireContentType } from "../content.ts";
import { contentTypeOf, newExpiry } from "../entry.ts";
import { pageLimit } from "../list.ts";
import type { Handler } from "../operation.ts";
import { Problem } from "../problem.ts";
import { noQuery } from "../validation.ts";
import { success } from "./cloudflare-envelope.ts";
import { entryPartsOf, namespaceOf, PATHS } from "./cloudflare-paths.ts";
import { documentOf, type Field, formFields } from "./form.ts";
import type { Interface, InterfaceOptions } from "./interface.ts";
import {
  expirationOf,
  expirationParameters,
  expiryFieldsOf,
  listNames,
  metadataFrom,
  namedEntry,
  parametersOf,
} from "./workers-kv.ts";

/** Of a form, beside its value: its metadata, and the lines between its parts. */
const FORM_BYTES = 16 * 1024;
const FORM = /^multipart\/form-data\b/i;

const NO_SUCH_KEY = new Problem("not_found", "get: 'key not found'");

const keysQuery = z.strictObject({
  prefix: z.string().optional(),
  limit: pageLimit.optional(),
  cursor: z.string().optional(),
});
const putQuery = z.strictObject(expirationParameters);

export function valueCalls(store: Store, options: InterfaceOptions): Interface["calls"] {
  const { maxValueBytes, bodyTimeoutMs: timeoutMs, reserve } = options;
  const tooLarge = new Problem("value_too_large", `A value is at most ${maxValueBytes} bytes.`);
  const body: BodyOptions = { maxBytes: maxValueBytes, tooLarge, timeoutMs, reserve };

  const getValue: Handler = async (request) => {
    const key = entryOf(request);
    parametersOf(request, noQuery);
    const entry = await store.get(key, request.signal);
    if (!entry) throw NO_SUCH_KEY;
    const { value, expiry } = entry;
    return answer(request, 200, { ...VALUE_HEADERS, ...(expiry && { Expiration: `${expirationOf(expiry)}` }) }, value);
  };

  const putValue: Handler = async (request) => {
    const key = entryOf(request);
    const query = parametersOf(request, putQuery);
    const expiry = newExpiry(expiryFieldsOf(query), false, {}, options.ttlJitter ?? 0);
    const contentType = contentTypeOf(request.headers);
    if (FORM.test(contentType)) {
      await receive(request, { ...body, maxBytes: maxValueBytes + FORM_BYTES }, async (bytes) => {
        const content = contentOf(await formFields(bytes, contentType));
        if (content.value.length > maxValueBytes) throw tooLarge;
        await store.put(key, { ...content, expiry }, {}, request.signal);
      });
    } else {
      await receive(request, body, (value) =>
        store.put(key, { value, contentType, metadata: null, expiry }, {}, request.signal),
      );
    }
    return success(request, {});
  };

  return {
    [PATHS.value]: {
      GET: getValue,
      PUT: putValue,
      DELETE: async (request) => {
        const key = entryOf(request);
        parametersOf(request, noQuery);
        await store.delete(key, undefined, request.signal);
        return success(request, {});
      },
    },
    [PATHS.metadata]: {
      GET: async (request) => {
        const key = entryOf(request);
        parametersOf(request, noQuery);
        const entry = await store.head(key, request.signal);
        if (!entry) throw NO_SUCH_KEY;
        return success(request, metadataDocument(entry.metadata));
      },
    },
    [PATHS.keys]: {
      GET: async (request) => {
        const namespace = namespaceOf(request);
        const query = parametersOf(request, keysQuery);
        const { names, cursor } = await listNames(store, request, namespace, query);
        const keys = names.map(({ metadata, ...name }) => ({
          ...name,
          ...(metadata !== null && { metadata: metadataDocument(metadata) }),
        }));
        return success(request, keys, { count: keys.length, cursor: cursor ?? "" });
      },
    },
  };
}

/** Clients read a value as it is only where it comes with this type. */
const VALUE_HEADERS = { "Content-Type": DEFAULT_CONTENT_TYPE, "Cache-Control": "no-cache, no-transform" };

function entryOf(request: Request) {
  const { namespace, name } = entryPartsOf(request);
  return namedEntry(request, namespace, name);
}

/** A value with its metadata, which comes as JSON in a field of its own or in a field for each of its leaves. */
function contentOf(fields: [string, Field][]): Omit<NewEntry, "expiry"> {
  const named = (name: string) => fields.filter(([field]) => field === name).map(([, field]) => field);
  const [value, ...values] = named("value");
  const [metadata, ...others] = named("metadata");
  const leaves = documentOf("metadata", fields);
  const isOther = ([name]: [string, Field]) => !/^(?:value|metadata)$|^metadata\[/.test(name);
  if (!value || values.length > 0 || fields.some(isOther)) {
    throw new Problem("invalid_value", "A form has one field value, and may have one field metadata.");
  }
  if (others.length > 0 || (metadata && leaves !== undefined)) {
    throw new Problem("invalid_metadata", "The form has metadata twice.");
  }
  return {
    value: value.bytes,
    contentType: requireContentType(value.contentType ?? DEFAULT_CONTENT_TYPE),
    metadata: metadata ? metadataFrom(metadata.bytes) : leaves === undefined ? null : metadataText(leaves),
  };
}
