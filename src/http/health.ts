// /healthz, /readyz and /metrics: what a supervisor, a load balancer and a monitor ask.

import { z } from "zod";
import type { Store } from "../store/store.ts";
import { answer, jsonAnswer } from "./answer.ts";
import { callsOf, type Operations } from "./operation.ts";
import { Problem } from "./problem.ts";

/** Prometheus's text format, version 0.0.4. */
const METRICS_HEADERS = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store" };

/** For how long /readyz repeats the database's answer: what anyone may ask must cost the same however many ask. */
const READY_FRESH_MS = 100;

const health = (status: string) => ({
  json: z.strictObject({ status: z.literal(status).describe(`Always \`${status}\`.`) }),
});

export const operations = {
  getHealth: {
    method: "GET",
    path: "/healthz",
    summary: "Tells that the process lives",
    description: "For a supervisor. The answer is the same whatever the database does.",
    open: "everywhere",
    answers: { 200: { description: "It lives.", body: health("ok") } },
  },
  getReadiness: {
    method: "GET",
    path: "/readyz",
    summary: "Tells whether the server can serve",
    description:
      "For a load balancer. A Worker that has tokens demands one, because each of its calls asks the database.",
    open: "not on Workers",
    answers: { 200: { description: "The database answers.", body: health("ready") } },
    problems: ["draining", "unavailable"],
  },
  getMetrics: {
    method: "GET",
    path: "/metrics",
    summary: "Gives the server's metrics",
    description: "They are in Prometheus's text format. A Worker has no such path.",
    answers: { 200: { description: "The metrics.", body: { types: ["text/plain"] } } },
    problems: ["no_such_route"],
  },
} satisfies Operations;

export interface HealthOptions {
  isDraining: () => boolean;
  /** True where a request can't wait for what another has begun. */
  isolated?: boolean;
  metrics?: () => Promise<string>;
}

export function healthCalls(store: Store, { isDraining, isolated = false, metrics }: HealthOptions) {
  const ready = isolated ? () => store.ping() : shared(() => store.ping(), READY_FRESH_MS);
  return callsOf(operations, {
    // Liveness is this process's own: a database that is down is no reason to restart it.
    getHealth: (request) => jsonAnswer(request, { status: "ok" }),
    getReadiness: async (request) => {
      if (isDraining()) throw new Problem("draining");
      await ready();
      return jsonAnswer(request, { status: "ready" });
    },
    getMetrics: metrics && (async (request) => answer(request, 200, METRICS_HEADERS, await metrics())),
  });
}

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
