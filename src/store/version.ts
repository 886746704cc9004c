// The tokens that tell one write from every other.

import { randomBytes } from "node:crypto";

/** Identifies one write of one value, as 20 hexadecimal digits; no two share one, whatever was deleted in between. */
export type Version = string;

/**
 * Identifies one change of one row, as 32 hexadecimal digits: the version of its value, and 12 digits that are new with
 * every change, also of its expiry alone. A row that has another revision than before has been changed, and a row that
 * has the revision of a write shows that this write has happened.
 */
export type Revision = string;

/** Bytes of a revision, as the table holds it. */
export const REVISION_BYTES = 16;
const VERSION_DIGITS = 20;

/** In place of the version of an entry that was deleted and whose row is still there. */
const REMOVED = "0".repeat(VERSION_DIGITS);

/** Random bytes are drawn for many revisions at once: one draw costs about as much as a statement's row. */
const POOL_REVISIONS = 256;
let pool = "";
let used = 0;

/** A revision whose version and whose last digits were never used before. */
export function newRevision(): Revision {
  if (used === pool.length) {
    pool = randomBytes(POOL_REVISIONS * REVISION_BYTES).toString("hex");
    used = 0;
  }
  const revision = pool.slice(used, used + 2 * REVISION_BYTES);
  used += revision.length;
  return revision;
}

export function versionOf(revision: Revision): Version {
  return revision.slice(0, VERSION_DIGITS);
}

/** Whether a text could be a version. */
export function isVersion(text: string): boolean {
  return text.length === VERSION_DIGITS && /^[0-9a-f]+$/.test(text);
}

/** The revision of a row that keeps its value and is changed by the write that `change` was drawn for. */
export function changed(revision: Revision, change: Revision): Revision {
  return versionOf(revision) + change.slice(VERSION_DIGITS);
}

/** The revision of a row whose entry is deleted by the write that `change` was drawn for. */
export function removed(change: Revision): Revision {
  return REMOVED + change.slice(VERSION_DIGITS);
}

export function isRemoved(revision: Revision): boolean {
  return revision.startsWith(REMOVED);
}
