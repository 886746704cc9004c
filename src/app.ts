// The HTTP application over a store: what happens to every request, in order. Names no runtime.

import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import type { Logger } from "pino";
import type { Tokens } from "./auth/tokens.ts";
import { type DashboardOptions, dashboardCalls } from "./dashboard/dashboard.ts";
import { requestIdOf } from "./http/answer.ts";
import { authorizer, NATIVE_CLAIMS } from "./http/auth.ts";
import { batchCalls } from "./http/batch.ts";
import type { Reserve } from "./http/body.ts";
import { cloudflareApi } from "./http/compat/cloudflare.ts";
import { CLOUDFLARE_PATH } from "./http/compat/cloudflare-paths.ts";
import { type Door, translated } from "./http/compat/interface.ts";
import { REDIS_PATH, redisInterface } from "./http/compat/redis/redis.ts";
import { answeringBinding, isOfBinding, workersBinding } from "./http/compat/workers.ts";
import { allowOrigins, refuseForeignPage } from "./http/cors.ts";
import { docsCalls } from "./http/docs.ts";
import { entryCalls } from "./http/entry.ts";
import { turnAway } from "./http/full.ts";
import { healthCalls } from "./http/health.ts";
import { incrementCalls } from "./http/increment.ts";
import { listCalls } from "./http/list.ts";
import { type Handler, openPaths, type Route, serve } from "./http/operation.ts";
import { ENTRIES_PATH, ENTRY_PARTS, keyOf, rawPath } from "./http/path.ts";
import { Problem, problemAnswer, problemOf } from "./http/problem.ts";
import { ALL_RIGHTS } from "./http/rights.ts";
import { requireExactPath, requireHost, requireUnrepairedPath, type SentParts } from "./http/target.ts";
import { ttlCalls } from "./http/ttl.ts";
import { StoreError } from "./store/error.ts";
import type { Store } from "./store/store.ts";

/**
 * What a URL parser leaves of the key `.`, among others; its answer says what is wrong with it. Not a route: an empty
 * segment in one makes Hono fall back from its fastest router, for every request.
 */
const EMPTY_KEY = new RegExp(`^${ENTRIES_PATH}[^/]+/(/(?:${ENTRY_PARTS.join("|")}))?$`);

const NO_SUCH_ROUTE = new Problem("no_such_route");
const INTERNAL = new Problem("internal");

const LINE_MS = 1_000;

/** What requests of Workers' binding are counted under: their paths are of keys alone. */
const BINDING = "env.KV";
const NO_ROUTE = "none";

type Answering = (request: Request) => Response | Promise<Response>;

export interface AppOptions extends DashboardOptions {
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
  /**
   * The parts of a path as the runtime found them in the bytes that were sent, undefined where it found none. Without
   * this it can be checked only in part whether a URL is what was sent.
   */
  partsOf?: (request: Request) => SentParts | undefined;
  /** True where a request's URL is what was sent, as on Deno: then nothing of it has to be checked. */
  urlsAsSent?: boolean;
  /** Origins whose pages may call; without this none may. */
  corsOrigins?: string[];
  /** Whether only requests that name this machine as their host are taken. */
  onlyLoopback?: boolean;
  /** True where a request can't wait for what another has begun, as on Workers. */
  isolated?: boolean;
  /** Whether the runtime makes text of a header's field as UTF-8, as on Workers; else each byte is a character. */
  decodesHeaders?: boolean;
  /** Whoever measures. On every call's way, so it must take nanoseconds. */
  observer?: RequestObserver;
}

interface RequestObserver {
  /** The same, measured, with errors answered by `failed`. A route is a pattern with `:name` for each part that callers choose, or a word. */
  observe(route: string, answer: Answering, failed: (error: unknown, request: Request) => Response): Answering;
  /** A call was turned away at the door. */
  turnedAway(): void;
}

/** What answers every request. */
export interface App {
  fetch: (request: Request) => Response | Promise<Response>;
}

export function createApp(store: Store, options: AppOptions): App {
  const { tokens, log, isFull, isolated, partsOf, urlsAsSent, corsOrigins, observer, onlyLoopback = false } = options;
  // By the path as it was sent, so that an escaped slash stays part of a key.
  const app = new Hono({ getPath: rawPath });
  if (log.isLevelEnabled("debug")) app.use(logRequest(log));
  if (corsOrigins) app.use(allowOrigins(corsOrigins));
  const calls = [
    ...[...entryCalls(store, options), ...ttlCalls(store, options), ...incrementCalls(store, options)],
    ...[...listCalls(store), ...batchCalls(store, { ...options, problemOf: failure })],
    ...[...healthCalls(store, options), ...docsCalls(), ...dashboardCalls(options)],
  ];
  const open = openPaths(calls, isolated);
  const authorize = tokens && authorizer(tokens);
  // No middleware: Hono calls a handler that is alone at its path at once, and this is on every call's way.
  const authorized = (handle: Handler) => (request: Request) => {
    requireHost(request, onlyLoopback);
    if (partsOf) requireExactPath(request, partsOf(request));
    else if (!urlsAsSent) requireUnrepairedPath(request);
    if (!authorize && request.method === "POST") refuseForeignPage(request, corsOrigins);
    return handle(request, authorize && !open.has(rawPath(request)) ? authorize(request, NATIVE_CLAIMS) : ALL_RIGHTS);
  };
  /** Errors are answered here where somebody counts, because Hono would do so behind their back. */
  const observed = (route: string, handle: Answering): Answering =>
    observer ? observer.observe(route, handle, failed) : handle;
  const door: Door = {
    admit: (request, requireExact, claims) => {
      requireHost(request, onlyLoopback);
      if (!urlsAsSent) requireExact(request, partsOf && { parts: partsOf(request) });
      if (authorize) return authorize(request, claims);
      // Some of its calls write by GET.
      refuseForeignPage(request, corsOrigins);
      return ALL_RIGHTS;
    },
    problemOf: failure,
  };
  const cloudflare = cloudflareApi(store, { ...options, problemOf: failure });
  const bound = observed(BINDING, answeringBinding(workersBinding(store, { ...options, problemOf: failure }), door));
  /** A binding's keys are paths of one part, as some others are. */
  const unlessBound = (handle: Answering) => (c: Context) => (isOfBinding(c.req.raw) ? bound : handle)(c.req.raw);
  const route: Route = (path, handle) => {
    const isOnePart = !path.includes("/", 1);
    const answerIt = observed(path, authorized(handle));
    app.all(path, isOnePart ? unlessBound(answerIt) : (c) => answerIt(c.req.raw));
  };
  serve(route, calls);
  for (const path of Object.keys(cloudflare.calls)) {
    const answerIt = observed(path, translated(cloudflare, path, door));
    app.all(path, (c) => answerIt(c.req.raw));
  }
  const redis = redisInterface(store, { ...options, ...door });
  for (const path of [`${REDIS_PATH}:ns`, `${REDIS_PATH}:ns/*`]) {
    const answerIt = observed(path, redis);
    app.all(path, (c) => answerIt(c.req.raw));
  }
  const nowhereInCloudflare = translated(cloudflare, CLOUDFLARE_PATH, door);
  app.notFound(
    unlessBound(
      observed(NO_ROUTE, (request) => {
        const isCloudflare = rawPath(request).startsWith(CLOUDFLARE_PATH);
        return (isCloudflare ? nowhereInCloudflare : authorized(nowhere))(request);
      }),
    ),
  );
  app.onError((error, { req: { raw } }) => failed(error, raw));

  const turnedAway = atIntervals((calls) => log.warn({ calls }, "turned away calls, for too many are under way"));
  const storeFailed = new Map<string, (latest?: object) => void>();
  return {
    fetch: (request) => {
      // A page could not read an answer that does not name its origin.
      const refusal = isFull() && !corsOrigins ? turnAway(request) : undefined;
      if (!refusal) return app.fetch(request);
      turnedAway();
      observer?.turnedAway();
      return refusal;
    },
  };

  function logStoreError({ code, reason }: StoreError, request_id: string) {
    let line = storeFailed.get(code);
    if (!line) {
      line = atIntervals((calls, latest) => log.warn({ ...latest, code, calls }, "store error"));
      storeFailed.set(code, line);
    }
    line({ request_id, reason });
  }

  function failed(error: unknown, request: Request): Response {
    if (error instanceof Problem) return problemAnswer(request, error);
    const requestId = requestIdOf(request);
    return problemAnswer(request, failure(error, request, requestId), requestId);
  }

  /** What is answered where something fails, and the log is told. */
  function failure(error: unknown, request: Request, request_id = requestIdOf(request)): Problem {
    if (error instanceof StoreError) {
      if (error.code === "overloaded") turnedAway();
      else if (!request.signal.aborted) logStoreError(error, request_id);
      return problemOf(error);
    }
    const { name, stack } = error as Error;
    // Its message may quote anything; the stack below it holds only code.
    log.error({ request_id, name, stack: stack?.split("\n    at ").slice(1) }, "unexpected error");
    return INTERNAL;
  }
}

function nowhere(request: Request): Response {
  // Throws what is wrong with it.
  if (EMPTY_KEY.test(rawPath(request))) keyOf(request);
  return problemAnswer(request, NO_SUCH_ROUTE);
}

/**
 * One line a second for what may happen to every call at once, with how many calls it happened to since the last: a line
 * for each would cost a server that is in trouble even more.
 */
function atIntervals(line: (calls: number, latest: object) => void): (latest?: object) => void {
  let calls = 0;
  let lineAt = Number.NEGATIVE_INFINITY;
  return (latest = {}) => {
    calls += 1;
    if (performance.now() - lineAt < LINE_MS) return;
    lineAt = performance.now();
    line(calls, latest);
    calls = 0;
  };
}

function logRequest(log: Logger) {
  return createMiddleware(async (c, next) => {
    const start = performance.now();
    await next();
    const ms = Math.round((performance.now() - start) * 10) / 10;
    // The route's pattern and not the path, which holds the key.
    const route = routePath(c, -1);
    const request_id = c.res.headers.get("X-Request-Id");
    log.debug({ request_id, method: c.req.method, route, status: c.res.status, ms }, "request");
  });
}
