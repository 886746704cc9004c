// The HTTP application over a store: what happens to every request, in order. Names no runtime.

import { RegExpRouter } from "hono/router/reg-exp-router";
import type { Logger } from "pino";
import { requestIdOf } from "./http/answer.ts";
import { authorizer } from "./http/auth.ts";
import type { Reserve } from "./http/body.ts";
import { turnAway } from "./http/full.ts";
import { keyOf, rawPath } from "./http/key.ts";
import { keyRoutes } from "./http/keys.ts";
import { openPaths, operationRoutes } from "./http/operations.ts";
import { Problem, problemAnswer, problemOf } from "./http/problem.ts";
import type { Resource } from "./http/resource.ts";
import { ttlRoutes } from "./http/ttl.ts";
import { StoreError } from "./store/error.ts";
import type { Store } from "./store/store.ts";
import type { Tokens } from "./tokens.ts";

/**
 * What a URL parser leaves of the key `.`, among others; its answer says what is wrong with it. Not a resource, for the
 * router takes no empty segment.
 */
const EMPTY_KEY = /^\/v1\/kv\/[^/]+\/(\/ttl)?$/;

const NO_SUCH_ROUTE = new Problem(404, "no_such_route", "There is nothing at this path.");
const INTERNAL = new Problem(500, "internal", "Something went wrong in the server.");

const TURNED_AWAY_LINE_MS = 1_000;

export interface AppOptions {
  /** Largest value in bytes; a larger one is a 413. */
  maxValueBytes: number;
  /** How long the body of a request may take to arrive; then it is a 408. */
  bodyTimeoutMs: number;
  /** Sets memory aside for a body while it is being received; without it none is counted. */
  reserve?: Reserve;
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

type Fetch = (request: Request) => Response | Promise<Response>;

/** What answers every request. */
export interface App {
  fetch: Fetch;
}

export function createApp(store: Store, options: AppOptions): App {
  const { tokens, log, isFull, isolated } = options;
  // Hono's fastest router by itself: the context that Hono makes of a request, and the promises around it, would add a
  // fifth to what a GET costs here.
  const resources = new RegExpRouter<Resource>();
  keyRoutes(resources, store, options);
  ttlRoutes(resources, store, options);
  operationRoutes(resources, store, options);
  // By the path as it was sent, so that an escaped slash stays part of a key.
  const find = (request: Request): Resource | undefined => resources.match("ALL", rawPath(request))[0][0]?.[0];

  const open = openPaths({ isolated });
  const authorize = tokens && authorizer(tokens, (path) => open.includes(path));
  const turnedAway = logTurnedAway(log);
  const route: Fetch = (request) => {
    try {
      authorize?.(request);
      const answer = (find(request)?.handle ?? nowhere)(request);
      return answer instanceof Promise ? answer.catch((error) => failed(error, request)) : answer;
    } catch (error) {
      return failed(error, request);
    }
  };
  const serve = log.isLevelEnabled("debug") ? logged(route, find, log) : route;

  return {
    fetch: (request) => {
      const answer = isFull() ? turnAway(request) : undefined;
      if (!answer) return serve(request);
      turnedAway();
      return answer;
    },
  };

  function failed(error: unknown, request: Request): Response {
    if (error instanceof Problem) return problemAnswer(request, error);
    const request_id = requestIdOf(request);
    if (error instanceof StoreError) {
      if (error.code === "overloaded") turnedAway();
      else log.warn({ request_id, code: error.code, reason: error.reason }, "store error");
      return problemAnswer(request, problemOf(error), request_id);
    }
    const { name, stack } = error as Error;
    // Its message may quote anything; the stack below it holds only code.
    log.error({ request_id, name, stack: stack?.split("\n    at ").slice(1) }, "unexpected error");
    return problemAnswer(request, INTERNAL, request_id);
  }
}

function nowhere(request: Request): Response {
  // Throws what is wrong with it.
  if (EMPTY_KEY.test(rawPath(request))) keyOf(request);
  return problemAnswer(request, NO_SUCH_ROUTE);
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

/** A line for each request. */
function logged(serve: Fetch, find: (request: Request) => Resource | undefined, log: Logger): Fetch {
  return async (request) => {
    const start = performance.now();
    const answer = await serve(request);
    const ms = Math.round((performance.now() - start) * 10) / 10;
    log.debug(
      {
        request_id: answer.headers.get("X-Request-Id"),
        method: request.method,
        // The route's pattern and not the path, which holds the key.
        route: find(request)?.path ?? "/*",
        status: answer.status,
        ms,
      },
      "request",
    );
    return answer;
  };
}
