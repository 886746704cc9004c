// One path with its methods: whatever else is tried on it is answered 405 with Allow.

import type { Router } from "hono/router";
import { Problem, problemAnswer } from "./problem.ts";

type Method = "GET" | "PUT" | "POST" | "DELETE";

/** Throws a Problem for what is wrong with a request. */
type Handler = (request: Request) => Response | Promise<Response>;

export interface Resource {
  /** As the router has it: the pattern, which tells nothing of a key. */
  path: string;
  handle: Handler;
}

export type Resources = Pick<Router<Resource>, "add">;

/** HEAD is served by what serves GET. */
export function resource(resources: Resources, path: string, handlers: { [M in Method]?: Handler }) {
  const byMethod = new Map(Object.entries(handlers));
  const allow = [...byMethod.keys()].flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  if (handlers.GET) byMethod.set("HEAD", handlers.GET);
  const refusal = new Problem(405, "method_not_allowed", `This resource takes ${allow}.`, { Allow: allow });
  const handle: Handler = (request) => byMethod.get(request.method)?.(request) ?? problemAnswer(request, refusal);
  resources.add("ALL", path, { path, handle });
}
