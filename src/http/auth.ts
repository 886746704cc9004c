// Who may do what: a token for each request, before anything else is done for it.

import { RIGHTS, type Right, type Tokens } from "../auth/tokens.ts";
import { ENTRIES_PATH, namespaceOf, rawPath } from "./path.ts";
import { Problem } from "./problem.ts";
import { forbidden, REALM, type Rights, requireRight } from "./rights.ts";

/** What a method needs: any other than these both reads and writes. Of a POST, its handler knows. */
const NEEDED: Record<string, readonly Right[]> = {
  ...{ GET: ["read"], HEAD: ["read"], PUT: ["write"], DELETE: ["write"] },
  POST: [],
};

/** Of any case, with spaces before a token of its characters (RFC 6750, section 2.1). */
const BEARER = /^bearer \s*([A-Za-z0-9._~+/-]+=*)$/i;

/** How an interface's requests say who calls, and what for. */
export interface Claims {
  /** Throws a 401 where there is no token. */
  tokenOf: (request: Request) => string;
  /** Undefined where it is about all of them. */
  namespaceOf: (request: Request) => string | undefined;
}

/** A bearer token (RFC 6750), and a namespace in the path. */
export const NATIVE_CLAIMS: Claims = {
  tokenOf: bearerToken,
  // What is in no namespace tells about all of them, as /metrics does.
  namespaceOf: (request) => (rawPath(request).startsWith(ENTRIES_PATH) ? namespaceOf(request) : undefined),
};

export type Authorize = (request: Request, claims: Claims) => Rights;

/**
 * Throws a 401 or a 403 unless a request has a token that is among those that are valid at the time, and allows it.
 * Returns what the token allows.
 */
export function authorizer(tokens: () => Tokens): Authorize {
  return (request, claims) => {
    const grant = tokens().grantOf(claims.tokenOf(request));
    if (!grant) throw unauthorized("This token is not valid, or not any more.", ', error="invalid_token"');
    for (const right of NEEDED[request.method] ?? RIGHTS) requireRight(grant.rights, right);
    if (grant.namespaces !== "*") requireNamespace(grant.namespaces, claims.namespaceOf(request));
    return grant.rights;
  };
}

export function bearerToken({ headers }: Request): string {
  const header = headers.get("Authorization");
  if (!header) throw unauthorized("Send a token, as in 'Authorization: Bearer …'.");
  const token = BEARER.exec(header)?.[1];
  if (!token) throw unauthorized("The Authorization header does not hold a bearer token.");
  return token;
}

function requireNamespace(granted: ReadonlySet<string>, namespace: string | undefined) {
  if (namespace === undefined) throw forbidden("This needs a token for all namespaces.");
  if (!granted.has(namespace)) throw forbidden("This token is not for this namespace.");
}

function unauthorized(detail: string, error = "") {
  return new Problem("unauthorized", detail, { "WWW-Authenticate": REALM + error });
}
