// The tokens that tell one write from every other.

import { randomBytes } from "node:crypto";

/** Identifies one write of one value, as 20 hexadecimal digits; no two share one, whatever was deleted in between. */
export type Version = string;

/**
 * Identifies one change of one row, as 32 hexadecimal digits: the version of the value that it leaves, and 12 digits
 * that are new with every attempt at a change, also of an expiry alone. So a row shows which attempt was the last to
 * change it.
 */
export type Revision = string;

/** Bytes of a revision, as the table holds it. */
export const REVISION_BYTES = 16;
const VERSION_DIGITS = 20;
const CHANGE_DIGITS = 2 * REVISION_BYTES - VERSION_DIGITS;

/** In place of the version of an entry that was deleted and whose row is still there. */
const REMOVED = "0".repeat(VERSION_DIGITS);

/** Random bytes are drawn for many tokens at once: one draw costs about as much as a statement's row. */
const POOL_BYTES = 4096;
let pool = "";
let used = 0;

function draw(digits: number): string {
  if (used + digits > pool.length) {
    pool = randomBytes(POOL_BYTES).toString("hex");
    used = 0;
  }
  used += digits;
  return pool.slice(used - digits, used);
}

export function newVersion(): Version {
  return draw(VERSION_DIGITS);
}

/** For an attempt that leaves a value of this version, or no value. */
export function newRevision(version: Version | null): Revision {
  return (version ?? REMOVED) + draw(CHANGE_DIGITS);
}

/** The version of the value, or null where there is none. */
export function versionOf(revision: Revision): Version | null {
  const version = revision.slice(0, VERSION_DIGITS);
  return version === REMOVED ? null : version;
}

/** Whether a text could be a version. */
export function isVersion(text: string): boolean {
  return text.length === VERSION_DIGITS && /^[0-9a-f]+$/.test(text);
}
