// The HTTP application over a store: what happens to every request, in order. Names no runtime.

import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { type RequestIdVariables, requestId } from "hono/request-id";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import type { Logger } from "pino";
import { authenticate } from "./http/auth.ts";
import { turnAway } from "./http/full.ts";
import { keyOf, rawPath } from "./http/key.ts";
import { keyRoutes } from "./http/keys.ts";
import { openPaths, operationRoutes } from "./http/operations.ts";
import { Problem, problemOf, problemResponse } from "./http/problem.ts";
import { ttlRoutes } from "./http/ttl.ts";
import { StoreError } from "./store/error.ts";
import type { Store } from "./store/store.ts";
import type { Tokens } from "./tokens.ts";

export interface AppEnv {
  Variables: RequestIdVariables;
}

/**
 * What a URL parser leaves of the key `.`, among others; its answer says what is wrong with it. Not a route: an empty
 * segment in one makes Hono fall back from its fastest router, for every request.
 */
const EMPTY_KEY = /^\/v1\/kv\/[^/]+\/(\/ttl)?$/;

const TURNED_AWAY_LINE_MS = 1_000;

export interface AppOptions {
  /** Largest value in bytes; a larger one is a 413. */
  maxValueBytes: number;
  /** How long the body of a request may take to arrive; then it is a 408. */
  bodyTimeoutMs: number;
  /** The tokens that are valid at the moment; without this everyone is let in. */
  tokens?: () => Tokens;
  /** By which part of it, at most, a plain PUT's TTL is shortened at random. */
  ttlJitter?: number;
  /** What /metrics answers; without it there is no such path. */
  metrics?: () => Promise<string>;
  log: Logger;
  /** True once the server takes no new work: /readyz then fails. */
  isDraining: () => boolean;
  /** True while the store would turn away any call. */
  isFull: () => boolean;
  /** True where a request can't wait for what another has begun, as on Workers. */
  isolated?: boolean;
}

/** What answers every request. */
export interface App {
  fetch: (request: Request) => Response | Promise<Response>;
}

export function createApp(
  store: Store,
  { maxValueBytes, bodyTimeoutMs, tokens, ttlJitter, metrics, log, isDraining, isFull, isolated }: AppOptions,
): App {
  // Routing works on the path as it was sent, so that an escaped slash stays part of a key.
  const app = new Hono<AppEnv>({ getPath: rawPath });

  app.use(requestId());
  if (log.isLevelEnabled("debug")) app.use(logRequest(log));
  app.use(
    secureHeaders({
      // Stored content can be anything, an HTML page too: it must not be sniffed, and must not run on this origin.
      contentSecurityPolicy: { defaultSrc: ["'none'"], sandbox: [] },
      crossOriginResourcePolicy: false,
      crossOriginOpenerPolicy: false,
      originAgentCluster: false,
      referrerPolicy: false,
      strictTransportSecurity: false,
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xFrameOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    }),
  );

  if (tokens) {
    const open = openPaths({ isolated });
    app.use(authenticate(tokens, (path) => open.includes(path)));
  }

  keyRoutes(app, store, { maxValueBytes, bodyTimeoutMs, ttlJitter });
  ttlRoutes(app, store, { bodyTimeoutMs });
  operationRoutes(app, store, { isDraining, isolated, metrics });
  app.notFound((c) => {
    if (EMPTY_KEY.test(rawPath(c.req.raw))) keyOf(c.req.raw);
    return problemResponse(c, new Problem(404, "no_such_route", "There is nothing at this path."));
  });
  const turnedAway = logTurnedAway(log);
  app.onError((error, c) => {
    if (error instanceof Problem) return problemResponse(c, error);
    const request_id = c.get("requestId");
    if (error instanceof StoreError) {
      if (error.code === "overloaded") turnedAway();
      else log.warn({ request_id, code: error.code, reason: error.reason }, "store error");
      return problemResponse(c, problemOf(error));
    }
    // Its message may quote anything; the stack below it holds only code.
    log.error({ request_id, name: error.name, stack: error.stack?.split("\n    at ").slice(1) }, "unexpected error");
    return problemResponse(c, new Problem(500, "internal", "Something went wrong in the server."));
  });
  return {
    fetch: (request) => {
      const answer = isFull() ? turnAway(request) : undefined;
      if (!answer) return app.fetch(request);
      turnedAway();
      return answer;
    },
  };
}

/** Calls turned away are many by nature: a line for each would cost a server that has too much to do even more. */
function logTurnedAway(log: Logger): () => void {
  let calls = 0;
  let lineAt = Number.NEGATIVE_INFINITY;
  return () => {
    calls += 1;
    if (performance.now() - lineAt < TURNED_AWAY_LINE_MS) return;
    lineAt = performance.now();
    log.warn({ calls }, "turned away calls, for too many are under way");
    calls = 0;
  };
}

function logRequest(log: Logger) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const start = performance.now();
    await next();
    // The route's pattern and not the path, which holds the key.
    const route = routePath(c, -1);
    const ms = Math.round((performance.now() - start) * 10) / 10;
    log.debug({ request_id: c.get("requestId"), method: c.req.method, route, status: c.res.status, ms }, "request");
  });
}
