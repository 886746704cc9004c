// What a request's token allows.

import { RIGHTS, type Right } from "../auth/tokens.ts";
import { Problem } from "./problem.ts";

export type Rights = ReadonlySet<Right>;

/** Of everyone, where no tokens are. */
export const ALL_RIGHTS: Rights = new Set(RIGHTS);

export const REALM = 'Bearer realm="vitess-kv"';

/** Throws a 403 unless it is among the rights. */
export function requireRight(rights: Rights, right: Right) {
  if (!rights.has(right)) throw forbidden("This token does not allow this kind of call.");
}

export function forbidden(detail: string) {
  return new Problem("forbidden", detail, { "WWW-Authenticate": `${REALM}, error="insufficient_scope"` });
}
