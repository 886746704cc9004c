// Entity tags and preconditions as RFC 9110 (sections 8.8.3 and 13) words them, turned into versions.

import { ETAGS } from "../limits.ts";
import type { Condition } from "../store/store.ts";
import { isVersion, type Version } from "../store/version.ts";
import { badRequest } from "./problem.ts";

interface EntityTag {
  weak: boolean;
  opaque: string;
}

const ENTITY_TAG = /(W\/)?"([\x21\x23-\x7e]*)"/g;
/** Tags and commas; empty elements are allowed (RFC 9110, section 5.6.1.2). */
const TAG_LIST = /^[ \t,]*((W\/)?"[\x21\x23-\x7e]*"[ \t]*(,[ \t,]*|$))+$/;

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
  if (ifNoneMatch) throw badRequest("invalid_precondition", "If-None-Match is not supported on this call.");
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
    throw badRequest("invalid_precondition", `${header} takes * or up to ${ETAGS} quoted entity tags.`);
  }
  return tags.map(([, weak, opaque]) => ({ weak: weak !== undefined, opaque: opaque ?? "" }));
}
