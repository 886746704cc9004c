// One line of an import as the entry that it stands for.

import type { Json, Key, PutOptions } from "../client/index.ts";
import { wrongUsage } from "./outcome.ts";

export interface ImportedEntry {
  key: Key;
  value: string | Uint8Array;
  options: Pick<PutOptions, "contentType" | "metadata" | "expiresAt">;
}

/** `etag` and `bytes` are what `kv list --json` adds; the store makes its own. */
const FIELDS = new Set([
  ...["key", "key_base64", "value", "value_base64", "content_type", "metadata", "expires_at", "etag", "bytes"],
]);

/** Throws a sentence that names the line and quotes nothing of it. */
export function importedEntry(document: unknown, line: number): ImportedEntry {
  const wrong = (what: string) => wrongUsage(`Line ${line}: ${what}.`);
  if (typeof document !== "object" || document === null || Array.isArray(document)) throw wrong("not a JSON object");
  const fields = document as Record<string, unknown>;
  if (!Object.keys(fields).every((name) => FIELDS.has(name))) throw wrong("a field that an entry does not have");
  const { content_type, metadata, expires_at } = fields;
  if (content_type !== undefined && typeof content_type !== "string") throw wrong("content_type is text");
  const expiresAt = expires_at == null ? undefined : new Date(expires_at as string);
  if (expiresAt && (typeof expires_at !== "string" || Number.isNaN(expiresAt.getTime()))) {
    throw wrong("expires_at is a time like 2030-01-31T12:00:00.000Z, or null");
  }
  return {
    key: textOrBytes("key"),
    value: textOrBytes("value"),
    options: { contentType: content_type, metadata: (metadata ?? undefined) as Json | undefined, expiresAt },
  };

  function textOrBytes(name: "key" | "value"): string | Uint8Array {
    const [text, base64] = [fields[name], fields[`${name}_base64`]];
    if (typeof text === "string" && base64 === undefined) return text;
    if (typeof base64 !== "string" || text !== undefined) throw wrong(`one of ${name} and ${name}_base64 is needed`);
    const bytes = Buffer.from(base64, "base64");
    if (bytes.toString("base64") !== base64) throw wrong(`${name}_base64 is not base64`);
    return bytes;
  }
}
