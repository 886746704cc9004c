// What describes a value, and is kept with it.

import { CONTENT_TYPE_BYTES, METADATA_BYTES } from "../limits.ts";
import { Problem } from "./problem.ts";

export const DEFAULT_CONTENT_TYPE = "application/octet-stream";
/** Field values that are the same bytes in every runtime and on every hop. */
export const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** A comma outside of quotes: what a runtime makes of two fields. */
const TWO_FIELDS = /^(?:[^",]|"(?:[^"\\]|\\.)*")*,/;

/** Throws a 400 for what can't be a Content-Type. */
export function requireContentType(contentType: string): string {
  const isLegible = contentType.length <= CONTENT_TYPE_BYTES && PRINTABLE_ASCII.test(contentType);
  if (isLegible && !TWO_FIELDS.test(contentType)) return contentType;
  throw new Problem("invalid_content_type");
}

/** Throws a 400 for what can't be metadata. */
export function requireMetadata(metadata: string): string {
  if (metadata.length <= METADATA_BYTES && PRINTABLE_ASCII.test(metadata) && isJson(metadata)) return metadata;
  throw new Problem("invalid_metadata");
}

/** A document as metadata: at most METADATA_BYTES of UTF-8. Throws a 400 for a larger one. */
export function metadataText(document: unknown): string {
  const text = JSON.stringify(document);
  if (Buffer.byteLength(text) <= METADATA_BYTES) return text;
  throw new Problem("invalid_metadata", `Metadata is JSON of at most ${METADATA_BYTES} bytes.`);
}

/** Metadata as a header's value: characters that are not ASCII are escaped. */
export function metadataField(metadata: string): string {
  if (PRINTABLE_ASCII.test(metadata)) return metadata;
  return metadata.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The document that metadata is; null where there is none. */
export function metadataDocument(metadata: string | null): unknown {
  return metadata === null ? null : JSON.parse(metadata);
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
