// One path with its methods: whatever else is tried on it is answered 405 with Allow.

import type { Handler, Hono } from "hono";
import type { AppEnv } from "../app.ts";
import { Problem } from "./problem.ts";

/** Hono serves HEAD through GET's handler. */
type Method = "GET" | "PUT" | "POST" | "DELETE";

export function resource(
  app: Hono<AppEnv>,
  path: string,
  handlers: { [M in Method]?: Handler<AppEnv> | Handler<AppEnv>[] },
) {
  const methods = Object.keys(handlers) as Method[];
  for (const method of methods) app.on(method, [path], ...[handlers[method] ?? []].flat());
  const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  app.all(path, () => {
    throw new Problem(405, "method_not_allowed", `This resource takes ${allow}.`, { Allow: allow });
  });
}
