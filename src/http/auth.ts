// Who may do what: a bearer token (RFC 6750) for each request, before anything else is done for it.

import { RIGHTS, type Right, type Tokens } from "../auth/tokens.ts";
import { ENTRIES_PATH, namespaceOf, rawPath } from "./path.ts";
import { Problem } from "./problem.ts";

/** What a method needs. Any other than these both reads and writes. */
const NEEDED: Record<string, readonly Right[]> = { GET: ["read"], HEAD: ["read"], PUT: ["write"], DELETE: ["write"] };

const REALM = 'Bearer realm="vitess-kv"';

/** Of any case, with spaces before a token of its characters (RFC 6750, section 2.1). */
const BEARER = /^bearer \s*([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Throws a 401 or a 403 unless a request has a token that is among those that are valid at the time, and allows it.
 * `open` are the paths that need none.
 */
export function authorizer(tokens: () => Tokens, open: ReadonlySet<string>): (request: Request) => void {
  return (request) => {
    if (open.has(rawPath(request))) return;
    const header = request.headers.get("Authorization");
    if (!header) throw unauthorized("Send a token, as in 'Authorization: Bearer …'.");
    const token = BEARER.exec(header)?.[1];
    if (!token) throw unauthorized("The Authorization header does not hold a bearer token.");
    const grant = tokens().grantOf(token);
    if (!grant) throw unauthorized("This token is not valid, or not any more.", ', error="invalid_token"');
    if (!(NEEDED[request.method] ?? RIGHTS).every((right) => grant.rights.has(right))) {
      throw forbidden("This token does not allow this kind of call.");
    }
    if (grant.namespaces !== "*") requireNamespace(grant.namespaces, request);
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

function forbidden(detail: string) {
  return new Problem("forbidden", detail, { "WWW-Authenticate": `${REALM}, error="insufficient_scope"` });
}
