// What a server tells about single requests: traces by OTLP, times in the answer, slow requests in the log.

import { afterAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { startServer } from "../vitess/run/server-process.ts";
import { call, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;
const ENTRY = "/v1/kv/:ns/:key";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  links?: { traceId: string; spanId: string }[];
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code?: number };
}

/** Takes what OpenTelemetry's exporter sends, as a collector does. */
function startCollector() {
  const spans: Span[] = [];
  const texts: string[] = [];
  const collector = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const text = await request.text();
      texts.push(text);
      for (const { scopeSpans } of JSON.parse(text).resourceSpans) {
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      return Response.json({});
    },
  });
  afterAll(() => collector.stop(true));
  return { url: collector.url.href.replace(/\/$/, ""), spans, texts };
}

const traced = (collector: { url: string }, ratio: string) =>
  startServer({ DATABASE_URL, KV_TRACE_RATIO: ratio, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });

const attributesOf = ({ attributes }: Span) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe("traces", () => {
  const collector = startCollector();
  const withId = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);

  test("a request is a span of its caller's trace, with its call, its batch and its statement", async () => {
    const server = await traced(collector, "1");
    try {
      const [traceId, spanId] = [randomUUID().replaceAll("-", ""), "00f067aa0ba902b7"];
      const url = freshKeyUrl(server.url);
      const headers = { traceparent: `00-${traceId}-${spanId}-01` };
      const answer = await call(url, { method: "PUT", body: "a value that is nobody's", headers });
      await until(() => withId(traceId).length === 2, "its spans have come");
      const [request, put] = withId(traceId).toSorted((a, b) => b.kind - a.kind) as [Span, Span];
      expect([request.name, request.parentSpanId]).toEqual([`PUT ${ENTRY}`, spanId]);
      expect(answer.headers.get("traceresponse")).toBe(`00-${traceId}-${request.spanId}-01`);
      expect(attributesOf(request)).toMatchObject({ "http.route": ENTRY, "http.response.status_code": 204 });
      expect([put.name, put.parentSpanId]).toEqual(["put", request.spanId]);
      expect(BigInt(put.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(request.startTimeUnixNano) - 1_000_000n);
      expect(BigInt(put.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(request.endTimeUnixNano) + 1_000_000n);

      const [link] = put.links as [{ traceId: string; spanId: string }];
      // There may be others: a first answer also asks which of the shard's primaries has given it.
      const named = (name: string) => withId(link.traceId).find((span) => span.name === name);
      await until(() => Boolean(named("batch writes") && named("put")), "the batch's spans have come");
      const batch = named("batch writes") as Span;
      expect([batch.spanId, batch.parentSpanId]).toEqual([link.spanId, undefined]);
      expect(batch.links).toMatchObject([{ traceId, spanId: request.spanId }]);
      const statement = named("put") as Span;
      expect(statement.parentSpanId).toEqual(batch.spanId);
      expect(targets.vitess.status.shards).toContain(attributesOf(statement)["kv.shard"] as string);
    } finally {
      await server.stop();
    }
  });

  test("of many requests in one batch the batch is linked to each", async () => {
    const server = await traced(collector, "1");
    try {
      const url = freshKeyUrl(server.url);
      await call(url, { method: "PUT", body: "v" });
      const traces = new Set<string>();
      await whileLocked(url, async (unlock, awaited) => {
        const writes = [call(url, { method: "PUT", body: "first" })];
        await awaited();
        for (let i = 0; i < 20; i++) writes.push(call(url, { method: "PUT", body: "more" }));
        await Bun.sleep(200);
        await unlock();
        for (const answer of (await Promise.all(writes)).slice(1)) {
          traces.add(answer.headers.get("traceresponse")?.split("-")[1] as string);
        }
      });
      const linked = () => {
        const batches = collector.spans.filter(({ name }) => name === "batch writes");
        return new Set(batches.flatMap(({ links = [] }) => links.map(({ traceId }) => traceId)));
      };
      await until(() => traces.isSubsetOf(linked()), "batches with links to all have come");
      const largest = Math.max(...collector.spans.map(({ links = [] }) => links.length));
      expect(largest).toBeGreaterThan(1);
    } finally {
      await server.stop();
    }
  });

  test("only what is sampled, and what comes with a trace that is recorded", async () => {
    const server = await traced(collector, "0.000001");
    try {
      const url = freshKeyUrl(server.url);
      const id = () => randomUUID().replaceAll("-", "");
      const ids = { recorded: id(), not: id(), malformed: id() };
      const send = async (traceparent?: string) => {
        const answer = await call(url, traceparent ? { headers: { traceparent } } : {});
        return answer.headers.get("traceresponse");
      };
      expect(await send()).toBeNull();
      expect(await send(`00-${ids.not}-00f067aa0ba902b7-00`)).toBeNull();
      expect(await send(`00-${ids.malformed}-00f067aa0ba902b7`)).toBeNull();
      expect(await send(`00-${ids.recorded}-00f067aa0ba902b7-01`)).toContain(ids.recorded);
      await until(() => withId(ids.recorded).length === 2, "its spans have come");
      expect([...withId(ids.not), ...withId(ids.malformed)]).toEqual([]);
    } finally {
      await server.stop();
    }
  });

  test("what is still to be sent at the end is sent, and no span holds a key or a value", async () => {
    const server = await traced(collector, "1");
    const [namespace, key, value] = [randomUUID(), randomUUID(), randomUUID()];
    const answer = await call(`${server.url}/v1/kv/${namespace}/${key}`, { method: "PUT", body: value });
    await server.stop();
    const traceId = answer.headers.get("traceresponse")?.split("-")[1] as string;
    expect(withId(traceId).map(({ name }) => name)).toContain(`PUT ${ENTRY}`);
    const all = collector.texts.join("\n");
    for (const secret of [namespace, key, value, DATABASE_URL]) expect(all).not.toContain(secret);
  });

  test("a server whose collector does not answer serves on", async () => {
    const server = await traced({ url: "http://127.0.0.1:1" }, "1");
    try {
      for (let i = 0; i < 5; i++) expect((await call(freshKeyUrl(server.url))).status).toBe(404);
    } finally {
      await server.stop();
    }
  });
});

describe("Server-Timing", () => {
  test("tells whoever asks how long a call waited and was at the database", async () => {
    const url = freshKeyUrl(targets.vitess.url);
    await call(url, { method: "PUT", body: "v" });
    expect((await call(url)).headers.get("Server-Timing")).toBeNull();
    const headers = { "KV-Server-Timing": "1" };
    await whileLocked(url, async (unlock, awaited) => {
      const write = () => call(url, { method: "PUT", body: "w", headers });
      const first = write();
      await awaited();
      // Waits for the first, and its database time begins when that is done.
      const second = write();
      await Bun.sleep(300);
      await unlock();
      const [one, other] = [timesOf(await first), timesOf(await second)];
      expect(one.database).toBeGreaterThan(300);
      expect(one.queue).toBeLessThan(one.total as number);
      expect(other.queue).toBeGreaterThan(200);
    });
    const none = await call(`${targets.vitess.url}/healthz`, { headers });
    expect(none.headers.get("Server-Timing")).toMatch(/^total;dur=[\d.]+$/);
  });

  function timesOf(answer: Response): Record<string, number> {
    const parts = (answer.headers.get("Server-Timing") ?? "").split(", ").map((part) => part.split(";dur="));
    return Object.fromEntries(parts.map(([name, duration]) => [name, Number(duration)]));
  }
});

describe("slow requests", () => {
  test("are logged with route, shard and times, and nothing of their key", async () => {
    const server = await startServer({ DATABASE_URL, KV_SLOW_MS: "250" });
    try {
      const url = freshKeyUrl(server.url);
      await call(url, { method: "PUT", body: "v" });
      await whileLocked(url, async (unlock, awaited) => {
        const write = call(`${url}/ttl`, {
          method: "PUT",
          body: '{"ttl":60}',
          headers: { "X-Request-Id": "slow-one" },
        });
        await awaited();
        await Bun.sleep(300);
        await unlock();
        await write;
      });
      const lines = () =>
        server
          .output()
          .split("\n")
          .filter((line) => line.includes('"slow request"'));
      await until(() => lines().some((line) => line.includes("slow-one")), "it is logged");
      const line = JSON.parse(lines().find((each) => each.includes("slow-one")) as string);
      expect(line).toMatchObject({ route: `${ENTRY}/ttl`, method: "PUT", status: 200, level: 40 });
      expect(targets.vitess.status.shards).toContain(line.shard);
      expect(line.ms).toBeGreaterThanOrEqual(250);
      expect(line.database_ms).toBeGreaterThan(200);
      expect(server.output()).not.toContain(url.split("/").at(-1));
    } finally {
      await server.stop();
    }
  });

  test("are not logged where nobody wants to know", async () => {
    const server = await startServer({ DATABASE_URL, KV_SLOW_MS: "0" });
    try {
      const url = freshKeyUrl(server.url);
      await call(url, { method: "PUT", body: "v" });
      await whileLocked(url, async (unlock, awaited) => {
        const write = call(url, { method: "PUT", body: "w" });
        await awaited();
        await Bun.sleep(1_100);
        await unlock();
        await write;
      });
      expect(server.output()).not.toContain("slow request");
    } finally {
      await server.stop();
    }
  });
});
