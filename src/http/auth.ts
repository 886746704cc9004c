// Who may do what: a bearer token (RFC 6750) for each request, before anything else is done for it.

import { bearerAuth } from "hono/bearer-auth";
import { createMiddleware } from "hono/factory";
import { RIGHTS, type Right, type Tokens } from "../tokens.ts";
import { ENTRIES_PATH, namespaceOf, rawPath } from "./key.ts";
import { Problem } from "./problem.ts";

/** What a method needs. Any other than these both reads and writes. */
const NEEDED: Record<string, readonly Right[]> = { GET: ["read"], HEAD: ["read"], PUT: ["write"], DELETE: ["write"] };

const REALM = 'Bearer realm="vitess-kv"';

function unauthorized(detail: string, error = "") {
  const problem = new Problem(401, "unauthorized", detail, { "WWW-Authenticate": REALM + error });
  return {
    // Thrown here it is answered like every other problem, in whose place the middleware would answer in its own words.
    message: () => {
      throw problem;
    },
  };
}

/**
 * Lets a request pass whose token is among those that are valid at the time, and allows it; else it is a 401 or a 403.
 * `isOpen` says which paths need none.
 */
export function authenticate(tokens: () => Tokens, isOpen: (path: string) => boolean) {
  const requireToken = bearerAuth({
    verifyToken: (token, c) => {
      const grant = tokens().grantOf(token);
      if (!grant) return false;
      const { method, raw } = c.req;
      if (!(NEEDED[method] ?? RIGHTS).every((right) => grant.rights.has(right))) {
        throw forbidden("This token does not allow this kind of call.");
      }
      if (grant.namespaces !== "*") requireNamespace(grant.namespaces, raw);
      return true;
    },
    noAuthenticationHeader: unauthorized("Send a token, as in 'Authorization: Bearer …'."),
    invalidAuthenticationHeader: unauthorized("The Authorization header does not hold a bearer token."),
    invalidToken: unauthorized("This token is not valid, or not any more.", ', error="invalid_token"'),
  });
  return createMiddleware((c, next) => (isOpen(rawPath(c.req.raw)) ? next() : requireToken(c, next)));
}

function requireNamespace(granted: ReadonlySet<string>, request: Request) {
  // What is in no namespace tells about all of them, as /metrics does.
  if (!rawPath(request).startsWith(ENTRIES_PATH)) throw forbidden("This needs a token for all namespaces.");
  if (!granted.has(namespaceOf(request))) throw forbidden("This token is not for this namespace.");
}

function forbidden(detail: string) {
  return new Problem(403, "forbidden", detail, { "WWW-Authenticate": `${REALM}, error="insufficient_scope"` });
}
