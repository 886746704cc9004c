// Many keys at once in Cloudflare's REST API, each a batch.

import { z } from "zod";
import { BATCH_BODY_BYTES } from "../../limits.ts";
import type { Store } from "../../store/store.ts";
import { Batch } from "../batch.ts";
import { documentBody, receive } from "../body.ts";
import { bytesOf } from "../bytes.ts";
import { metadataText } from "../content.ts";
import { instantOf } from "../expiry.ts";
import { parseJson } from "../json.ts";
import type { Handler } from "../operation.ts";
import { requireKey } from "../path.ts";
import { Problem } from "../problem.ts";
import { requireRight } from "../rights.ts";
import { noQuery, validated } from "../validation.ts";
import { failure, success } from "./cloudflare-envelope.ts";
import { namespaceOf, PATHS } from "./cloudflare-paths.ts";
import type { Interface, InterfaceOptions } from "./interface.ts";
import { bulkRead, expirationFields, expiryFieldsOf, parametersOf, readMany, wellFormed } from "./workers-kv.ts";

/** Keys that one call writes or deletes at most, as Cloudflare has it. */
const BULK_KEYS = 10_000;

const pair = z.strictObject({
  key: wellFormed,
  value: wellFormed,
  base64: z.boolean().optional(),
  metadata: z.unknown().optional(),
  ...expirationFields,
});
const pairs = z.array(pair).min(1, "has no pair").max(BULK_KEYS, `has at most ${BULK_KEYS} pairs`);
const names = z.array(wellFormed).min(1, "has no key").max(BULK_KEYS, `has at most ${BULK_KEYS} keys`);

export function bulkCalls(store: Store, options: InterfaceOptions): Interface["calls"] {
  const body = documentBody(BATCH_BODY_BYTES, options);

  async function documentIn<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
    parametersOf(request, noQuery);
    return receive(request, body, (bytes) => validated(schema, parseJson(bytes), "invalid_batch"));
  }

  const write: Handler = async (request, rights) => {
    const namespace = namespaceOf(request);
    requireRight(rights, "write");
    const documents = await documentIn(request, pairs);
    // All of them before any is written.
    const puts = documents.map((document) => putOf(namespace, document, options.maxValueBytes));
    return told(request, puts, await new Batch(store, request, namespace, rights, options).run(puts));
  };

  const remove: Handler = async (request, rights) => {
    const namespace = namespaceOf(request);
    requireRight(rights, "write");
    const deletes = (await documentIn(request, names)).map((key) => {
      requireText(namespace, key);
      return { op: "delete", key };
    });
    return told(request, deletes, await new Batch(store, request, namespace, rights, options).run(deletes));
  };

  return {
    [PATHS.bulk]: { PUT: write, DELETE: remove },
    [PATHS.bulkDelete]: { POST: remove },
    [PATHS.bulkGet]: {
      POST: async (request, rights) => {
        const namespace = namespaceOf(request);
        requireRight(rights, "read");
        const query = await documentIn(request, bulkRead);
        return success(request, { values: await readMany(store, request, namespace, rights, query, options) });
      },
    },
  };
}

/** A pair as an operation of a batch. Throws a 400 or a 413 for what would be refused there. */
function putOf(namespace: string, pair: z.infer<typeof pairs>[number], maxValueBytes: number) {
  const { key, base64, metadata } = pair;
  requireText(namespace, key);
  const value = base64 ? bytesOf(undefined, pair.value, "value") : Buffer.from(pair.value);
  if ((value as Buffer).length > maxValueBytes) {
    throw new Problem("value_too_large", `A value is at most ${maxValueBytes} bytes.`);
  }
  if (metadata !== undefined && metadata !== null) metadataText(metadata);
  const { ttl_ms, expires_at } = expiryFieldsOf(pair);
  return {
    ...{ op: "put", key, metadata, ttl_ms },
    ...(base64 ? { value_base64: pair.value } : { value: pair.value }),
    expires_at: expires_at && instantOf(expires_at),
  };
}

function requireText(namespace: string, key: string) {
  requireKey(namespace, Buffer.from(key).toString("latin1"));
}

/** Not every client reads which keys failed, so a call succeeds only where none did. */
function told(request: Request, operations: { key: string }[], outcomes: { status: number; detail?: unknown }[]) {
  const failed = outcomes.flatMap(({ status }, i) => (status === 204 ? [] : [i]));
  const counts = {
    successful_key_count: outcomes.length - failed.length,
    unsuccessful_keys: failed.map((i) => operations[i]?.key),
  };
  const [first] = failed;
  if (first === undefined) return success(request, counts);
  const { status, detail } = outcomes[first] as { status: number; detail?: unknown };
  const message = `${failed.length} of ${outcomes.length} keys failed; of the first of them: ${detail}`;
  return failure(request, { status, code: status, message }, { result: counts });
}
