// /healthz, /readyz and /metrics: what a supervisor, a load balancer and a monitor ask.

import type { Store } from "../store/store.ts";
import { answer, jsonAnswer } from "./answer.ts";
import { Problem } from "./problem.ts";
import { type Route, resource } from "./resource.ts";

/** Prometheus's text format, version 0.0.4. */
const METRICS_HEADERS = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" };

/** For how long /readyz repeats the database's answer: what anyone may ask must cost the same however many ask. */
const READY_FRESH_MS = 100;

export interface OperationOptions {
  isDraining: () => boolean;
  /** True where a request can't wait for what another has begun. */
  isolated?: boolean;
  metrics?: () => Promise<string>;
}

export function operationRoutes(
  route: Route,
  store: Store,
  { isDraining, isolated = false, metrics }: OperationOptions,
) {
  const ready = isolated ? () => store.ping() : shared(() => store.ping(), READY_FRESH_MS);
  // Liveness is this process's own: a database that is down is no reason to restart it.
  resource(route, "/healthz", { GET: (request) => jsonAnswer(request, { status: "ok" }) });
  resource(route, "/readyz", {
    GET: async (request) => {
      if (isDraining()) throw new Problem(503, "draining", "This server is shutting down.");
      await ready();
      return jsonAnswer(request, { status: "ready" });
    },
  });
  if (metrics) {
    resource(route, "/metrics", {
      GET: async (request) => answer(request, 200, METRICS_HEADERS, await metrics()),
    });
  }
}

/**
 * Paths that need no token, for supervisors and load balancers have none. Where each request asks the database for itself
 * /readyz is not among them: anyone could load the database with it, and nothing has to ask a Worker.
 */
export const openPaths = ({ isolated }: Pick<OperationOptions, "isolated">): readonly string[] =>
  isolated ? ["/healthz"] : ["/healthz", "/readyz"];

/** Asks at most once at a time, and again only when the last answer is older than that. */
function shared<T>(ask: () => Promise<T>, freshMs: number): () => Promise<T> {
  let answer: Promise<T> | undefined;
  const forget = () => {
    answer = undefined;
  };
  return () => {
    if (!answer) {
      answer = ask();
      const keep = () => setTimeout(forget, freshMs);
      answer.then(keep, keep);
    }
    return answer;
  };
}
