// Forms (multipart/form-data, RFC 7578), read by the runtime's own parser without losing a byte.

import { METADATA_BYTES } from "../../limits.ts";
import { Problem } from "../problem.ts";

export interface Field {
  bytes: Buffer;
  /** Of a file. */
  contentType?: string;
}

/** A form's fields in their order. Throws a 400 for what is none. */
export async function formFields(body: Buffer, contentType: string): Promise<[name: string, field: Field][]> {
  // Each byte as a character: of a field without a file name the parser makes text, and what is not UTF-8 would be lost.
  const characters = body.toString("latin1");
  const parsed = new Response(characters, { headers: { "Content-Type": contentType } }).formData();
  const form = await parsed.catch(() => {
    throw new Problem("invalid_value", "The body is not a form as its Content-Type says.");
  });
  const fields: [string, Field][] = [];
  for (const [name, value] of form.entries()) {
    const isText = typeof value === "string";
    const bytes = Buffer.from(isText ? value : await value.text(), "latin1");
    const contentType = isText || value.type === "" ? undefined : value.type;
    fields.push([Buffer.from(name, "latin1").toString("utf8"), { bytes, contentType }]);
  }
  return fields;
}

/** `name[a][b]`: a leaf of a document, as SDKs send one in a form. */
const LEAF = /^\w+(?:\[[^[\]]*\])+$/;
const CONTRADICTION = new Problem("invalid_metadata", "The form's fields of the metadata make no document.");

/**
 * The document whose leaves are fields `name[a][b]`, and `name[a][]` for each item of an array; undefined where no field
 * is one. Every leaf is a text. Throws a 400 where fields contradict each other, or are more than metadata can have.
 */
export function documentOf(name: string, fields: [string, Field][]): unknown {
  const leaves = fields.filter(([field]) => field.startsWith(`${name}[`));
  if (leaves.length > METADATA_BYTES) throw CONTRADICTION;
  const root: Branch = new Map();
  for (const [field, { bytes }] of leaves) {
    if (field.length > METADATA_BYTES || !LEAF.test(field)) throw CONTRADICTION;
    const path = field.slice(name.length + 1, -1).split("][");
    put(root, [name, ...path], bytes.toString("utf8"));
  }
  return plain(root.get(name));
}

type Branch = Map<string, unknown>;

function put(into: Branch, [name = "", ...path]: string[], leaf: string) {
  const there = into.get(name);
  if (path.length === 0) {
    if (there !== undefined) throw CONTRADICTION;
    into.set(name, leaf);
  } else if (path.length === 1 && path[0] === "") {
    const items = there ?? [];
    if (!Array.isArray(items)) throw CONTRADICTION;
    items.push(leaf);
    into.set(name, items);
  } else {
    const branch = there ?? new Map();
    if (!(branch instanceof Map)) throw CONTRADICTION;
    into.set(name, branch);
    put(branch, path, leaf);
  }
}

function plain(document: unknown): unknown {
  if (!(document instanceof Map)) return document;
  return Object.fromEntries([...document].map(([name, value]) => [name, plain(value)]));
}
