// One path with its methods: whatever else is tried on it is answered 405 with Allow.

import type { Rights } from "./auth.ts";
import { Problem, problemAnswer } from "./problem.ts";

type Method = "GET" | "PUT" | "POST" | "DELETE";

/** Throws a Problem for what is wrong with a request. `rights` are its token's, or all where none is needed. */
export type Handler = (request: Request, rights: Rights) => Response | Promise<Response>;

/** Has requests at a path answered, the path with Hono's patterns. */
export type Route = (path: string, handle: Handler) => void;

/** HEAD is served by what serves GET. */
export function resource(route: Route, path: string, handlers: { [M in Method]?: Handler }) {
  const byMethod = new Map(Object.entries(handlers));
  const allow = [...byMethod.keys()].flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  if (handlers.GET) byMethod.set("HEAD", handlers.GET);
  const refusal = new Problem(405, "method_not_allowed", `This resource takes ${allow}.`, { Allow: allow });
  route(path, (request, rights) => byMethod.get(request.method)?.(request, rights) ?? problemAnswer(request, refusal));
}
