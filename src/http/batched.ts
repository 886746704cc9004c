// One operation of a batch: what its fields mean, and what its single call would have answered, as JSON.

import { z } from "zod";
import { incrementing } from "../store/counter.ts";
import type { Condition, Entry, EntryInfo, EntryKey, ExpireResult, Store } from "../store/store.ts";
import { bytesOf, textOf } from "./bytes.ts";
import { conditionFrom, etagOf, evaluateRead } from "./conditional.ts";
import { DEFAULT_CONTENT_TYPE, metadataDocument, metadataText, requireContentType } from "./content.ts";
import { newExpiry } from "./entry.ts";
import { expiryDocument, expiryFields, expiryOf } from "./expiry.ts";
import { incrementFields, incrementOf, incrementOutcome } from "./increment.ts";
import { NOT_FOUND, PRECONDITION_FAILED, Problem } from "./problem.ts";

const keyFields = { key: z.string().optional(), key_base64: z.string().optional() };
const text = z.string().optional();

const read = { ...keyFields, if_match: text, if_none_match: text };
const put = z.strictObject({
  ...{ op: z.literal("put"), ...keyFields, value: text, value_base64: text, content_type: text },
  ...{
    metadata: z.unknown().optional(),
    ...expiryFields,
    keep_ttl: z.boolean().optional(),
    if_match: text,
    if_none_match: text,
  },
});
const expire = z.strictObject({
  ...{ op: z.literal("expire"), ...keyFields, ...expiryFields },
  ...{ if: z.enum(["nx", "xx", "gt", "lt"]).optional(), if_match: text },
});

export const operation = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("get"), ...read }),
  z.strictObject({ op: z.literal("head"), ...read }),
  put,
  z.strictObject({ op: z.literal("delete"), ...keyFields, if_match: text }),
  expire,
  z.strictObject({ op: z.literal("persist"), ...keyFields }),
  z.strictObject({ op: z.literal("increment"), ...keyFields, ...incrementFields }),
]);
export type Operation = z.infer<typeof operation>;

/** The answer of an operation: its status and what its single call says in headers and body, as far as it is defined. */
export type Outcome = { status: number } & Record<string, unknown>;

export interface OperationOptions {
  maxValueBytes: number;
  ttlJitter?: number;
}

/** Throws a Problem for what is wrong with the operation, before anything is sent. */
export function perform(
  store: Store,
  key: EntryKey,
  operation: Operation,
  options: OperationOptions,
  caller: AbortSignal,
): Promise<Outcome> {
  switch (operation.op) {
    case "get":
    case "head": {
      const condition = conditionFrom(operation.if_match, operation.if_none_match);
      const found = operation.op === "get" ? store.get(key, caller) : store.head(key, caller);
      return found.then((entry) => readOutcome(entry, condition));
    }
    case "put":
      return putEntry(store, key, operation, options, caller);
    case "delete": {
      const isDone = store.delete(key, conditionFrom(operation.if_match).ifMatch, caller);
      return isDone.then((done) => (done ? { status: 204 } : problemOutcome(PRECONDITION_FAILED)));
    }
    case "expire": {
      const expiry = expiryOf(operation);
      if (!expiry) throw new Problem("invalid_ttl", "Give one of ttl, ttl_ms and expires_at.");
      const condition = { if: operation.if, ifMatch: conditionFrom(operation.if_match).ifMatch };
      return store.expire(key, expiry, condition, caller).then(expireOutcome);
    }
    case "persist":
      return store.persist(key, caller).then((done) => (done ? { status: 204 } : problemOutcome(NOT_FOUND)));
    case "increment":
      return store.update(key, incrementing(incrementOf(operation)), caller).then((result) => {
        const outcome = incrementOutcome(result);
        return outcome instanceof Problem ? problemOutcome(outcome) : { status: 200, ...outcome };
      });
  }
}

export function problemOutcome({ status, code, detail }: Problem): Outcome {
  return { status, code, detail };
}

function putEntry(
  store: Store,
  key: EntryKey,
  fields: z.infer<typeof put>,
  { maxValueBytes, ttlJitter = 0 }: OperationOptions,
  caller: AbortSignal,
): Promise<Outcome> {
  const value = bytesOf(fields.value, fields.value_base64, "value");
  if (!value) throw new Problem("invalid_value", "A put has a value, or a value_base64.");
  if (value.length > maxValueBytes) {
    throw new Problem("value_too_large", `A value is at most ${maxValueBytes} bytes.`);
  }
  const { metadata, content_type = DEFAULT_CONTENT_TYPE, keep_ttl = false } = fields;
  const condition = conditionFrom(fields.if_match, fields.if_none_match);
  const entry = {
    value,
    contentType: requireContentType(content_type),
    metadata: metadata === undefined || metadata === null ? null : metadataText(metadata),
    expiry: newExpiry(fields, keep_ttl, condition, ttlJitter),
  };
  return store
    .put(key, entry, condition, caller)
    .then((version) =>
      version === null ? problemOutcome(PRECONDITION_FAILED) : { status: 204, etag: etagOf(version) },
    );
}

function readOutcome(entry: (EntryInfo & Partial<Entry>) | null, condition: Condition): Outcome {
  if (!entry) return problemOutcome(NOT_FOUND);
  const { version, contentType, metadata, valueBytes, expiry, value } = entry;
  const decision = evaluateRead(condition, version);
  if (decision === "failed") return problemOutcome(PRECONDITION_FAILED);
  if (decision === "not_modified") return { status: 304, etag: etagOf(version) };
  const { ttl_ms, expires_at } = expiryDocument(expiry);
  const text = value && textOf(value);
  // Without spreading objects, which would take as long as all else that is done for a read.
  return {
    status: 200,
    etag: etagOf(version),
    content_type: contentType,
    metadata: metadataDocument(metadata),
    bytes: valueBytes,
    ttl_ms,
    expires_at,
    value: text,
    value_base64: text === undefined ? value?.toString("base64") : undefined,
  };
}

function expireOutcome(result: ExpireResult): Outcome {
  if (result.outcome === "absent") return problemOutcome(NOT_FOUND);
  if (result.outcome === "condition_failed") return problemOutcome(PRECONDITION_FAILED);
  return { status: 200, ...expiryDocument(result) };
}
