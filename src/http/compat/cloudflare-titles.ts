// Titles of namespaces: Cloudflare takes any text, and here a namespace is nothing but its name. So a title is its
// namespace's name, with an escape for each byte that a name can't have.

import { isUtf8 } from "node:buffer";

/** What a name can't have, and what would look like an escape. */
const TO_ESCAPE = /[^A-Za-z0-9_-]|-(?=-[0-9a-f]{2})/gu;
const ESCAPE = /--([0-9a-f]{2})/g;

/** The name of the namespace with that title; it may be too long for one. No two titles have the same. */
export function idOf(title: string): string {
  return title.replace(TO_ESCAPE, (character) =>
    Buffer.from(character)
      .toString("hex")
      .replace(/../g, (byte) => `--${byte}`),
  );
}

/** The title that gives this name; the name itself where none does. */
export function titleOf(id: string): string {
  const bytes = Buffer.from(
    id.replace(ESCAPE, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
  const title = bytes.toString("utf8");
  return isUtf8(bytes) && idOf(title) === id ? title : id;
}
