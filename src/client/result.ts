// What an answer says, in the caller's types.

import type { Result } from "./call.ts";
import { fromBase64, textOf } from "./encoding.ts";
import { KVError } from "./error.ts";
import type { Info, Json, Ttl } from "./types.ts";

export function infoOf({ etag, content_type, metadata, bytes, expires_at }: Result): Info {
  return {
    ...{ etag: etag as string, contentType: content_type as string, bytes: bytes as number },
    metadata: (metadata ?? null) as Json,
    expiresAt: dateOf(expires_at),
  };
}

export function ttlOf({ ttl_ms, expires_at }: Result): Ttl {
  return { ttlMs: ttl_ms ?? null, expiresAt: dateOf(expires_at) };
}

export function dateOf(time: string | null | undefined): Date | null {
  return time ? new Date(time) : null;
}

/** Throws a KVError where a value is asked for as JSON and is none. */
export function typedValue(result: Result, type?: "text" | "json" | "bytes"): unknown {
  if (type === "bytes") return valueBytes(result);
  const text = result.value ?? textOf(valueBytes(result));
  if (type !== "json") return text;
  try {
    return JSON.parse(text);
  } catch {
    // The error's message would quote the value.
    throw new KVError("not_json", "The value is not JSON.");
  }
}

export function valueBytes({ body, value, value_base64 }: Pick<Result, "body" | "value" | "value_base64">) {
  return body ?? (value === undefined ? fromBase64(value_base64 as string) : new TextEncoder().encode(value));
}
