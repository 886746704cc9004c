// Rate, errors and duration of requests, by route. A route is a pattern such as `/v1/kv/:ns/:key`, never a path.

import { Gauge, type Registry } from "prom-client";
import { Count, Distribution, Family } from "./series.ts";

/** Answers a request; never throws. */
type Answering = (request: Request) => Response | Promise<Response>;

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]);
/** What turned-away requests are counted under: that they are for an entry is all that is looked at. */
const TURNED_AWAY = { route: "/v1/kv/*", method: "any", status: "503" };
/** Of an error that nobody was left to be told, as nginx has it. */
const CLIENT_GONE = 499;

interface Method {
  seconds: Distribution;
  statuses: Map<number, Count>;
}

export class Requests {
  private underWay = 0;
  private readonly counts: Family<Count, "route" | "method" | "status">;
  private readonly seconds: Family<Distribution, "route" | "method">;

  constructor(registry: Registry) {
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

  /** The same, counted and timed. */
  observe(route: string, answer: Answering): Answering {
    const methods = new Map<string, Method>();
    return async (request) => {
      const begun = performance.now();
      this.underWay += 1;
      const response = await answer(request);
      this.underWay -= 1;
      let method = methods.get(request.method);
      if (!method) {
        method = this.methodOf(route, request.method);
        methods.set(request.method, method);
      }
      method.seconds.add((performance.now() - begun) / 1000);
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

  private methodOf(route: string, method: string): Method {
    return { seconds: this.seconds.of(route, nameOf(method)), statuses: new Map() };
  }
}

function nameOf(method: string): string {
  return METHODS.has(method) ? method : "other";
}
