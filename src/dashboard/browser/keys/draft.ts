// What is being edited of an entry, and what becomes of it when it is saved. A text field knows one kind of line end, so a
// text with others is only edited where they can be put back.

import type { Entry, Json } from "../../../client/index.ts";
import { textOf } from "../bytes.ts";

/** A longer text makes the field slow. */
const EDITED_LENGTH = 512 * 1024;

export type StoredEntry = Entry<Uint8Array<ArrayBuffer>>;

export interface Draft {
  /** As the field has it. */
  text: string;
  lineEnd: "\n" | "\r\n";
  /** In place of the text: what can't be edited as such, or a file. */
  bytes?: Uint8Array<ArrayBuffer>;
  contentType: string;
  /** As JSON, or empty. */
  metadata: string;
}

export function draftOf({
  value,
  contentType,
  metadata,
}: Pick<StoredEntry, "value" | "contentType" | "metadata">): Draft {
  const text = value.length > EDITED_LENGTH ? undefined : textOf(value);
  const lineEnd = text?.includes("\r\n") ? "\r\n" : "\n";
  const edited = text?.replaceAll("\r\n", "\n");
  const isKept = edited !== undefined && !edited.includes("\r") && edited.replaceAll("\n", lineEnd) === text;
  return {
    ...(isKept ? { text: edited, lineEnd } : { text: "", lineEnd: "\n", bytes: value }),
    contentType,
    metadata: metadata === null ? "" : JSON.stringify(metadata),
  };
}

export function editedValue({ text, lineEnd, bytes }: Draft): string | Uint8Array<ArrayBuffer> {
  return bytes ?? text.replaceAll("\n", lineEnd);
}

/** Undefined for none. Throws where it is not JSON. */
export function metadataOf({ metadata }: Draft): Json | undefined {
  return metadata.trim() === "" ? undefined : JSON.parse(metadata);
}
