// Entity tags and preconditions as RFC 9110 (sections 8.8.3 and 13) words them, turned into versions.

import { z } from "zod";
import { ETAGS } from "../limits.ts";
import type { Condition } from "../store/store.ts";
import { isVersion, type Version } from "../store/version.ts";
import { Problem } from "./problem.ts";

interface EntityTag {
  weak: boolean;
  opaque: string;
}

const ENTITY_TAG = /(W\/)?"([\x21\x23-\x7e]*)"/g;
/** Tags and commas; empty elements are allowed (RFC 9110, section 5.6.1.2). */
const TAG_LIST = /^[ \t,]*((W\/)?"[\x21\x23-\x7e]*"[ \t]*(,[ \t,]*|$))+$/;

/** Lists as callers are to send them, which is less than is taken. */
const tags = z.string().regex(new RegExp(`^(\\*|(W/)?"[!#-~]*"(, (W/)?"[!#-~]*"){0,${ETAGS - 1}})$`));

/** `If-Match` of a call that changes something: what it does, for the document. */
export const ifMatch = (does: string) =>
  tags.optional().describe(`${does} only if the entry has one of these versions, or, with \`*\`, if it is there.`);

/** The headers of a call that writes a value. */
export const writeConditions = {
  "If-Match": ifMatch("Replaces the entry (compare and swap)"),
  "If-None-Match": tags
    .optional()
    .describe("Writes unless the entry has one of these versions; with `*`, creates only."),
};

/** The headers of a call that reads an entry. */
export const readConditions = {
  "If-None-Match": tags
    .optional()
    .describe("Answers 304 if the entry has one of these versions, or, with `*`, if it is there."),
  "If-Match": tags.optional().describe("Answers 412 unless the entry has one of these versions."),
};

/** The header of an answer that tells a version. */
export const etag = z
  .string()
  .regex(/^"[0-9a-f]{20}"$/)
  .describe("The version of the value with its content type and metadata: new with every write, and never used again.");

/** The entity tag of a version: it stands for the value with its content type and metadata. */
export function etagOf(version: Version): string {
  return `"${version}"`;
}

const UNCONDITIONAL: Condition = {};

/**
 * The conditions that a request's headers set. Tags that this store never gave out match nothing; weak ones match
 * nothing in If-Match, which compares strongly.
 */
export function conditionOf({ headers }: Request): Condition {
  return conditionFrom(headers.get("If-Match"), headers.get("If-None-Match"));
}

/** The same of the two fields' texts. */
export function conditionFrom(ifMatchText: string | null = null, ifNoneMatchText: string | null = null): Condition {
  const ifMatch = parse(ifMatchText, "If-Match");
  const ifNoneMatch = parse(ifNoneMatchText, "If-None-Match");
  if (!ifMatch && !ifNoneMatch) return UNCONDITIONAL;
  return {
    ...(ifMatch && { ifMatch: ifMatch === "*" ? "*" : versions(ifMatch.filter((tag) => !tag.weak)) }),
    ...(ifNoneMatch && { ifNoneMatch: ifNoneMatch === "*" ? "*" : versions(ifNoneMatch) }),
  };
}

/** For calls that If-None-Match makes no sense for: it is refused rather than ignored. */
export function ifMatchOnly(request: Request): Condition["ifMatch"] {
  const { ifMatch, ifNoneMatch } = conditionOf(request);
  if (ifNoneMatch) throw new Problem("invalid_precondition", "If-None-Match is not supported on this call.");
  return ifMatch;
}

/** What a read's conditions make of the version that is there: the entry, 304, or 412. */
export function evaluateRead(
  { ifMatch, ifNoneMatch }: Condition,
  version: Version,
): "send" | "not_modified" | "failed" {
  if (ifMatch && ifMatch !== "*" && !ifMatch.includes(version)) return "failed";
  if (ifNoneMatch && (ifNoneMatch === "*" || ifNoneMatch.includes(version))) return "not_modified";
  return "send";
}

function versions(tags: EntityTag[]): Version[] {
  return tags.map((tag) => tag.opaque).filter(isVersion);
}

function parse(field: string | null, header: string): "*" | EntityTag[] | undefined {
  if (field === null) return undefined;
  const text = field.trim();
  if (text === "*") return "*";
  const tags = TAG_LIST.test(text) ? [...text.matchAll(ENTITY_TAG)] : [];
  if (tags.length === 0 || tags.length > ETAGS) {
    throw new Problem("invalid_precondition", `${header} takes * or up to ${ETAGS} quoted entity tags.`);
  }
  return tags.map(([, weak, opaque]) => ({ weak: weak !== undefined, opaque: opaque ?? "" }));
}
