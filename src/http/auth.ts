// Who may do what: a bearer token (RFC 6750) for each request, before anything else is done for it.

import { RIGHTS, type Right, type Tokens } from "../auth/tokens.ts";
import { ENTRIES_PATH, namespaceOf, rawPath } from "./path.ts";
import { Problem } from "./problem.ts";
import { ALL_RIGHTS, forbidden, REALM, type Rights, requireRight } from "./rights.ts";

/** What a method needs: any other than these both reads and writes. Of a POST, its handler knows. */
const NEEDED: Record<string, readonly Right[]> = {
  ...{ GET: ["read"], HEAD: ["read"], PUT: ["write"], DELETE: ["write"] },
  POST: [],
};

/** Of any case, with spaces before a token of its characters (RFC 6750, section 2.1). */
const BEARER = /^bearer \s*([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Throws a 401 or a 403 unless a request has a token that is among those that are valid at the time, and allows it.
 * Returns what the token allows. `open` are the paths that need none.
 */
export function authorizer(tokens: () => Tokens, open: ReadonlySet<string>): (request: Request) => Rights {
  return (request) => {
    if (open.has(rawPath(request))) return ALL_RIGHTS;
    const header = request.headers.get("Authorization");
    if (!header) throw unauthorized("Send a token, as in 'Authorization: Bearer …'.");
    const token = BEARER.exec(header)?.[1];
    if (!token) throw unauthorized("The Authorization header does not hold a bearer token.");
    const grant = tokens().grantOf(token);
    if (!grant) throw unauthorized("This token is not valid, or not any more.", ', error="invalid_token"');
    for (const right of NEEDED[request.method] ?? RIGHTS) requireRight(grant.rights, right);
    if (grant.namespaces !== "*") requireNamespace(grant.namespaces, request);
    return grant.rights;
  };
}

function requireNamespace(granted: ReadonlySet<string>, request: Request) {
  // What is in no namespace tells about all of them, as /metrics does.
  if (!rawPath(request).startsWith(ENTRIES_PATH)) throw forbidden("This needs a token for all namespaces.");
  if (!granted.has(namespaceOf(request))) throw forbidden("This token is not for this namespace.");
}

function unauthorized(detail: string, error = "") {
  return new Problem("unauthorized", detail, { "WWW-Authenticate": REALM + error });
}
