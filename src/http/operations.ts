// /healthz, /readyz and /metrics: what a supervisor, a load balancer and a monitor ask.

import type { Hono } from "hono";
import type { AppEnv } from "../app.ts";
import type { Store } from "../store/store.ts";
import { Problem } from "./problem.ts";
import { resource } from "./resource.ts";

/** Prometheus's text format, version 0.0.4. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface OperationOptions {
  isDraining: () => boolean;
  metrics?: () => Promise<string>;
}

export function operationRoutes(app: Hono<AppEnv>, store: Store, { isDraining, metrics }: OperationOptions) {
  // Liveness is this process's own: a database that is down is no reason to restart it.
  resource(app, "/healthz", { GET: (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }) });
  resource(app, "/readyz", {
    GET: async (c) => {
      if (isDraining()) throw new Problem(503, "draining", "This server is shutting down.");
      await store.ping();
      return c.json({ status: "ready" }, 200, { "Cache-Control": "no-store" });
    },
  });
  if (metrics) {
    resource(app, "/metrics", {
      GET: async (c) => c.body(await metrics(), 200, { "Content-Type": METRICS_TYPE, "Cache-Control": "no-store" }),
    });
  }
}
