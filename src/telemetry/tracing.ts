// Traces, by OTLP over HTTP: a span for a request, for each of its calls at the store, for a batch, and for each statement.
// A batch is for many requests, so it is a trace of its own, with links to and from those that are traced. No span holds
// anything of a caller's but the ids of its trace.

import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Entry, Journal, JournalCall } from "./journal.ts";

/** W3C Trace Context, section 3.2: version, trace, parent, flags. Later versions may have more behind them. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** Of a batch to its requests: more would be cut off. */
const LINKS = 100;
/** At the end, for what has not been sent yet. */
const FLUSH_MS = 2_000;
/** Of what has ended until then. */
const SEND_EVERY_MS = 1_000;

/** A request that is traced. */
export interface Traced {
  /** What its answer tells of it, as W3C Trace Context, level 2, has it. */
  traceresponse: string;
  end: (status: number) => void;
}

interface TracedEntry extends Entry {
  request?: SpanContext;
  /** The batches of its calls that are under way. */
  batches?: SpanContext[];
}

export class Tracing {
  private readonly provider: TracerProvider;
  private readonly tracer;
  /** The batch that statements are sent for. */
  private readonly batch = new AsyncLocalStorage<Context>();
  private underWay = 0;

  /** `ratio` of the requests that come without a trace are traced, and those whose trace says that it is recorded. */
  constructor(
    private readonly ratio: number,
    private readonly journal: Journal,
  ) {
    const resource = defaultResource()
      .merge(resourceFromAttributes({ "service.name": "vitess-kv" }))
      .merge(detectResources({ detectors: [envDetector] }));
    // Where to, and with which headers, the exporter reads of OpenTelemetry's own variables.
    const spanProcessors = [
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: SEND_EVERY_MS }),
    ];
    this.provider = new TracerProvider({ resource, spanProcessors });
    this.tracer = this.provider.getTracer("vitess-kv");
  }

  /** Undefined for a request that is not traced. */
  begin(route: string, request: Request, entryOf: () => Entry): Traced | undefined {
    const header = request.headers.get("traceparent");
    const [, traceId, spanId, flags] = (header !== null && TRACEPARENT.exec(header)) || [];
    const isGiven = traceId !== undefined && spanId !== undefined;
    const isSampled = isGiven ? (Number.parseInt(flags as string, 16) & 1) === 1 : Math.random() < this.ratio;
    if (!isSampled) return undefined;
    const parent = isGiven
      ? trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true })
      : ROOT_CONTEXT;
    const attributes = { "http.request.method": request.method, "http.route": route };
    const span = this.tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
    const entry: TracedEntry = entryOf();
    const context = trace.setSpan(ROOT_CONTEXT, span);
    entry.request = span.spanContext();
    entry.onCall = (call, outcome, endedAt) => this.call(context, entry, call, outcome, endedAt);
    this.underWay += 1;
    return {
      traceresponse: `00-${entry.request.traceId}-${entry.request.spanId}-01`,
      end: (status) => {
        this.underWay -= 1;
        span.setAttribute("http.response.status_code", status);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  /** Does the work of a batch, as a span that is linked to the requests among the callers that are traced. */
  readonly around = async <T>(
    { name, shard }: { name: string; shard: string },
    callers: Iterable<object | undefined>,
    work: () => Promise<T>,
  ): Promise<T> => {
    const entries = this.underWay > 0 ? this.tracedOf(callers) : [];
    if (entries.length === 0) return work();
    const links: Link[] = entries.map(({ request }) => ({ context: request as SpanContext }));
    const span = this.tracer.startSpan(`batch ${name}`, { links, attributes: { "kv.shard": shard } }, ROOT_CONTEXT);
    for (const entry of entries) {
      entry.batches ??= [];
      entry.batches.push(span.spanContext());
    }
    return this.batch.run(trace.setSpan(ROOT_CONTEXT, span), work).finally(() => span.end());
  };

  /** A statement has ended, which is told where it was sent for a batch that is traced. */
  statement(name: string, to: { shard: string; type: string }, begunAt: number, failure?: { code: string }) {
    const parent = this.batch.getStore();
    if (!parent) return;
    const attributes: Attributes = {
      ...{ "db.system.name": "mysql", "db.operation.name": name, "kv.shard": to.shard, "kv.tablet": to.type },
    };
    const span = this.tracer.startSpan(name, { kind: SpanKind.CLIENT, startTime: begunAt, attributes }, parent);
    ended(span, failure?.code);
    span.end(performance.now());
  }

  /** Sends what has not been sent yet, unless that takes too long. */
  async close() {
    const sent = this.provider.shutdown().catch(() => {});
    await Promise.race([sent, sleep(FLUSH_MS, undefined, { ref: false })]);
  }

  private tracedOf(callers: Iterable<object | undefined>): TracedEntry[] {
    const entries = new Set<TracedEntry>();
    for (const caller of callers) {
      const entry: TracedEntry | undefined = caller && this.journal.of(caller);
      if (entry?.request) entries.add(entry);
      if (entries.size === LINKS) break;
    }
    return [...entries];
  }

  private call(context: Context, { batches = [] }: TracedEntry, call: JournalCall, outcome: string, endedAt: number) {
    const { kind, shard, arrivedAt, sentAt = endedAt } = call;
    const links = batches.map((batch) => ({ context: batch }));
    const attributes: Attributes = { "kv.queue_ms": sentAt - arrivedAt };
    if (shard !== undefined) attributes["kv.shard"] = shard;
    const span = this.tracer.startSpan(kind, { startTime: arrivedAt, links, attributes }, context);
    ended(span, outcome === "ok" ? undefined : outcome);
    span.end(endedAt);
  }
}

function ended(span: Span, failure: string | undefined) {
  if (failure === undefined) return;
  span.setAttribute("error.type", failure);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
