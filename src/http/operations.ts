// /healthz and /readyz: what a supervisor and a load balancer ask.

import type { Hono } from "hono";
import type { AppEnv } from "../app.ts";
import type { Store } from "../store/store.ts";
import { Problem } from "./problem.ts";
import { resource } from "./resource.ts";

export function operationRoutes(app: Hono<AppEnv>, store: Store, isDraining: () => boolean) {
  // Liveness is this process's own: a database that is down is no reason to restart it.
  resource(app, "/healthz", { GET: (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }) });
  resource(app, "/readyz", {
    GET: async (c) => {
      if (isDraining()) throw new Problem(503, "draining", "This server is shutting down.");
      await store.ping();
      return c.json({ status: "ready" }, 200, { "Cache-Control": "no-store" });
    },
  });
}
