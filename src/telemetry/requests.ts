// Rate, errors and duration of requests, by route. A route is a pattern such as `/v1/kv/:ns/:key`, never a path.

import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { CallTimes, Journal } from "./journal.ts";
import { Count, Distribution, Family } from "./series.ts";
import type { Tracing } from "./tracing.ts";

type Answering = (request: Request) => Response | Promise<Response>;

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]);
/** What turned-away requests are counted under: that they are for an entry is all that is looked at. */
const TURNED_AWAY = { route: "/v1/kv/*", method: "any", status: "503" };
/** By which a request asks for its times. */
const TIMING_HEADER = "KV-Server-Timing";
/** Lines about slow requests, because all are slow when the database is. */
const SLOW_LINES = { most: 10, everyMs: 1_000 };
/** Of an error that nobody was left to be told, as nginx has it. */
const CLIENT_GONE = 499;

export interface RequestsOptions {
  journal: Journal;
  log: Logger;
  /** Undefined where nothing is traced. */
  tracing?: Tracing;
}

interface Method {
  seconds: Distribution;
  statuses: Map<number, Count>;
}

export class Requests {
  private underWay = 0;
  private readonly counts: Family<Count, "route" | "method" | "status">;
  private readonly seconds: Family<Distribution, "route" | "method">;

  private lines = { since: 0, written: 0, leftOut: 0 };

  constructor(
    registry: Registry,
    private readonly options: RequestsOptions,
  ) {
    this.counts = new Family(registry, {
      name: "kv_http_requests_total",
      help: "Requests answered; 499 where the client had gone before an error could be answered",
      type: "counter",
      labels: ["route", "method", "status"],
      make: () => new Count(),
    });
    this.seconds = new Family(registry, {
      name: "kv_http_request_seconds",
      help: "From a request's head to its answer, without those that were turned away at the door",
      type: "histogram",
      labels: ["route", "method"],
      make: () => new Distribution(),
    });
    const requests = this;
    new Gauge({
      name: "kv_http_requests_in_flight",
      help: "Requests that are being answered",
      registers: [registry],
      collect() {
        this.set(requests.underWay);
      },
    });
  }

  /** The same, counted and timed; what it throws `failed` makes an answer of, to be counted too. */
  observe(route: string, answer: Answering, failed: (error: unknown, request: Request) => Response): Answering {
    const methods = new Map<string, Method>();
    const { journal, tracing } = this.options;
    return async (request) => {
      const begun = performance.now();
      this.underWay += 1;
      const tell = tracing || request.headers.has(TIMING_HEADER) ? this.watch(route, request) : undefined;
      let response: Response;
      try {
        response = await answer(request);
      } catch (error) {
        response = failed(error, request);
      }
      this.underWay -= 1;
      let method = methods.get(request.method);
      if (!method) {
        method = this.methodOf(route, request.method);
        methods.set(request.method, method);
      }
      const ms = performance.now() - begun;
      tell?.(response, ms);
      method.seconds.add(ms / 1000);
      if (ms >= journal.slowMs) this.slow(route, request, response, ms);
      const isUnheard = response.status >= 500 && request.signal.aborted;
      const status = isUnheard ? CLIENT_GONE : response.status;
      let count = method.statuses.get(status);
      if (!count) {
        count = this.counts.of(route, nameOf(request.method), String(status));
        method.statuses.set(status, count);
      }
      count.value += 1;
      return response;
    };
  }

  /** A request was turned away before anything was done for it. */
  turnedAway() {
    this.counts.of(TURNED_AWAY.route, TURNED_AWAY.method, TURNED_AWAY.status).value += 1;
  }

  /** What tells of a request that asks for its times or is traced, once it is answered; undefined for any other. */
  private watch(route: string, request: Request) {
    const { journal, tracing } = this.options;
    const isTimed = request.headers.has(TIMING_HEADER);
    const traced = tracing?.begin(route, request, () => journal.open(request.signal));
    if (!isTimed && !traced) return undefined;
    const entry = journal.of(request.signal) ?? journal.open(request.signal);
    return ({ headers, status }: Response, ms: number) => {
      journal.close();
      if (isTimed) headers.set("Server-Timing", serverTiming(entry.longest, ms));
      if (!traced) return;
      headers.set("traceresponse", traced.traceresponse);
      traced.end(status);
    };
  }

  private slow(route: string, request: Request, { status, headers }: Response, ms: number) {
    const now = performance.now();
    if (now - this.lines.since > SLOW_LINES.everyMs)
      this.lines = { since: now, written: 0, leftOut: this.lines.leftOut };
    if (this.lines.written >= SLOW_LINES.most) {
      this.lines.leftOut += 1;
      return;
    }
    const { journal, log } = this.options;
    const { shard, queueMs, databaseMs } = journal.of(request.signal)?.longest ?? {};
    log.warn(
      {
        ...{
          request_id: headers.get("X-Request-Id"),
          route,
          method: nameOf(request.method),
          status,
          ms: tenths(ms),
          shard,
        },
        ...(queueMs !== undefined && { queue_ms: tenths(queueMs) }),
        ...(databaseMs !== undefined && { database_ms: tenths(databaseMs) }),
        ...(this.lines.leftOut > 0 && { left_out: this.lines.leftOut }),
      },
      "slow request",
    );
    this.lines.written += 1;
    this.lines.leftOut = 0;
  }

  private methodOf(route: string, method: string): Method {
    return { seconds: this.seconds.of(route, nameOf(method)), statuses: new Map() };
  }
}

function nameOf(method: string): string {
  return METHODS.has(method) ? method : "other";
}

/** W3C Server Timing; durations in milliseconds. */
function serverTiming(longest: CallTimes | undefined, totalMs: number): string {
  const times = longest ? [`queue;dur=${tenths(longest.queueMs)}`, `database;dur=${tenths(longest.databaseMs)}`] : [];
  return [...times, `total;dur=${tenths(totalMs)}`].join(", ");
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
