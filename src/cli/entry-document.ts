// An entry as a line of JSON: what `--json`, `export` and `import` have in common.

import type { Info, Json, Key } from "../client/index.ts";

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** As text where it is UTF-8, else as `name_base64`. */
export function textOrBase64(name: string, given: Key): Record<string, string> {
  if (typeof given === "string") return { [name]: given };
  try {
    return { [name]: strict.decode(given) };
  } catch {
    return { [`${name}_base64`]: Buffer.from(given).toString("base64") };
  }
}

export interface Described extends Pick<Info, "contentType" | "expiresAt"> {
  key: Key;
  value?: Uint8Array;
  metadata?: Json;
}

/** What makes an entry what it is; `expires_at` is exact to the millisecond. */
export function contentDocument({ key, value, contentType, metadata, expiresAt }: Described) {
  return {
    ...textOrBase64("key", key),
    ...(value && textOrBase64("value", value)),
    content_type: contentType,
    ...(metadata != null && { metadata }),
    expires_at: expiresAt?.toISOString() ?? null,
  };
}

/** The same with what the store adds. */
export function entryDocument(entry: Described & Pick<Info, "etag" | "bytes">) {
  return { ...contentDocument(entry), etag: entry.etag, bytes: entry.bytes };
}
