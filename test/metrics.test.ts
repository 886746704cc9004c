// What /metrics says is what happened: as the calls of this test, the load simulator and Vitess's own client have it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { runLoad } from "../bench/load/run.ts";
import { findParts } from "../vitess/install/parts.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { run } from "../vitess/support/processes.ts";
import { scrape } from "./scrape.ts";
import { call, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";

const { databaseUrl: DATABASE_URL, status } = targets.vitess;
const ENTRY = "/v1/kv/:ns/:key";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ DATABASE_URL, KV_QUEUE_CALLS: "100" });
});
afterAll(() => server?.stop());

describe("requests and calls", () => {
  test("are counted by route, method and status, and by kind and outcome", async () => {
    const url = freshKeyUrl(server.url);
    // What a list finds expired it looks up, unless that has been swept by then.
    await call(`${url}-expired?ttl_ms=1`, { method: "PUT", body: "v" });
    const before = await scrape(server.url);
    const calls: [string, RequestInit, number][] = [
      [url, { method: "PUT", body: "v" }, 204],
      [url, {}, 200],
      [url, { method: "HEAD" }, 200],
      [`${url}-none`, {}, 404],
      [url, { method: "PUT", body: "v", headers: { "If-None-Match": "*" } }, 412],
      [`${url}/ttl`, { method: "PUT", body: '{"ttl":60}' }, 200],
      [`${url}/ttl`, {}, 200],
      [`${url}/ttl`, { method: "DELETE" }, 204],
      [url, { method: "PATCH" }, 405],
      [url, { method: "DELETE" }, 204],
      [`${server.url}/v1/kv/test`, {}, 200],
      [`${server.url}/v1/kv/test`, { method: "POST", body: batchOf("get", "get", "put") }, 200],
      [`${server.url}/nowhere`, {}, 404],
    ];
    for (const [target, init, expected] of calls) expect((await call(target, init)).status).toBe(expected);
    const after = await scrape(server.url);
    const grown = (name: string, labels: Record<string, string>) => after.sum(name, labels) - before.sum(name, labels);
    const requests = (route: string, method: string, status: number) =>
      grown("kv_http_requests_total", { route, method, status: String(status) });
    expect([
      ...[requests(ENTRY, "PUT", 204), requests(ENTRY, "PUT", 412), requests(ENTRY, "GET", 200)],
      ...[requests(ENTRY, "GET", 404), requests(ENTRY, "HEAD", 200), requests(ENTRY, "PATCH", 405)],
      ...[requests(`${ENTRY}/ttl`, "PUT", 200), requests("/v1/kv/:ns", "POST", 200), requests("none", "GET", 404)],
    ]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
    const kinds = ["get", "head", "put", "delete", "expire", "persist", "list"];
    const done = kinds.map((kind) => [kind, grown("kv_calls_total", { kind, outcome: "ok" })]);
    expect(done).toEqual([
      ["get", 4],
      ["head", 2],
      ["put", 3],
      ["delete", 1],
      ["expire", 1],
      ["persist", 1],
      ["list", 1],
    ]);
    for (const kind of kinds) {
      expect(grown("kv_call_seconds_count", { kind })).toBe(grown("kv_calls_total", { kind }));
    }
    expect(after.sum("kv_http_requests_in_flight")).toBe(1);
    expect(after.sum("kv_waiting_calls")).toBe(0);
  });

  test("no key, value or namespace gets into them", async () => {
    const [namespace, key, value] = [randomUUID(), randomUUID(), randomUUID()];
    const url = `${server.url}/v1/kv/${namespace}/${key}`;
    await call(url, { method: "PUT", body: value });
    for (const target of [url, `${url}/ttl`, `${server.url}/${key}`, `${server.url}/redis/${namespace}/get/${key}`]) {
      await call(target);
    }
    await call(url, { method: `X${key.slice(0, 8).toUpperCase()}` }).catch(() => {});
    const { text } = await scrape(server.url);
    for (const secret of [namespace, key, value, key.slice(0, 8).toUpperCase()]) expect(text).not.toContain(secret);
  });

  test("a write that is under way is seen to wait, and its statement in its shard", async () => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    await whileLocked(url, async (unlock, awaited) => {
      const write = call(url, { method: "PUT", body: "w" });
      await awaited();
      const during = await scrape(server.url);
      expect(during.sum("kv_waiting_calls")).toBe(1);
      expect(during.sum("kv_waiting_bytes")).toBeGreaterThan(0);
      expect(during.sum("kv_statements_in_flight")).toBeGreaterThan(0);
      const puts = (from: typeof during) =>
        from.sum("kv_shard_statement_seconds_count", { statement: "put", tablet: "primary" });
      await unlock();
      await write;
      const after = await scrape(server.url);
      expect(puts(after) - puts(during)).toBe(1);
      expect(after.sum("kv_statement_seconds_count", { statement: "put" })).toBe(puts(after));
    });
  });

  test("calls that are turned away are counted, at the door too", async () => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    const before = await scrape(server.url);
    let refused = 0;
    await whileLocked(url, async (unlock) => {
      const writes = Array.from({ length: 150 }, () => call(url, { method: "PUT", body: "w" }));
      await until(async () => (await scrape(server.url)).sum("kv_waiting_calls") === 100, "the server is full");
      refused += (await call(url)).status === 503 ? 1 : 0;
      await unlock();
      for (const answer of await Promise.all(writes)) refused += answer.status === 503 ? 1 : 0;
    });
    const after = await scrape(server.url);
    expect(refused).toBe(51);
    expect(after.sum("kv_refused_total") - before.sum("kv_refused_total")).toBe(refused);
    const status = { status: "503" };
    const answered = after.sum("kv_http_requests_total", status) - before.sum("kv_http_requests_total", status);
    expect(answered).toBe(refused);
  });
});

test("with KV_METRICS=false nothing is counted, and what is asked of others is told", async () => {
  const own = await startServer({ DATABASE_URL, KV_METRICS: "false", KV_TRACE_RATIO: "1" });
  try {
    const answer = await call(freshKeyUrl(own.url), { headers: { "KV-Server-Timing": "1" } });
    expect([answer.headers.get("Server-Timing"), answer.headers.get("traceresponse")]).toEqual([null, null]);
    const metrics = await scrape(own.url);
    for (const name of ["kv_calls_total", "kv_http_requests_total", "kv_statement_seconds_count"]) {
      expect([name, metrics.sum(name)]).toEqual([name, 0]);
    }
    expect(metrics.of("kv_waiting_calls")).toHaveLength(1);
    expect(metrics.sum("kv_tablets_serving", { tablet: "primary" })).toBe(status.shards.length);
  } finally {
    await own.stop();
  }
});

test("they are what the load simulator says", async () => {
  // Packing looks for dictionaries past the lanes.
  const own = await startServer({ DATABASE_URL, KV_SWEEP: "false", KV_COMPRESS: "false" });
  try {
    const [clients, keys] = [50, 500];
    const load = { url: own.url, workload: "a" as const, clients: [clients], keys, seconds: 3, warmup: 0 };
    const [step] = (await runLoad(load)).steps;
    await until(async () => (await scrape(own.url)).sum("kv_waiting_calls") === 0, "nothing is under way");
    const metrics = await scrape(own.url);
    const of = (method: string) => metrics.sum("kv_http_request_seconds_count", { route: ENTRY, method });
    // What is answered after the measured time is not counted: of each client the call under way, and perhaps a next.
    const expectAbout = (told: number, counted: number) => {
      expect(told).toBeGreaterThanOrEqual(counted);
      expect(told).toBeLessThanOrEqual(counted + 2 * clients);
    };
    expectAbout(of("GET"), step?.reads.count as number);
    expectAbout(of("PUT"), (step?.writes.count as number) + keys);
    expect(metrics.sum("kv_calls_total", { kind: "get" })).toBe(of("GET"));
    // Every call was in a batch, and every batch's rows in a statement.
    const batched = (lane: string) => metrics.sum("kv_batch_calls_total", { lane });
    expect(batched("entries")).toBe(of("GET"));
    expect(batched("writes")).toBe(of("PUT") + metrics.sum("kv_retries_total"));
    expect(metrics.sum("kv_batch_rows_count", { lane: "entries" })).toBe(
      metrics.sum("kv_statement_seconds_count", { statement: "get" }),
    );
  } finally {
    await own.stop();
  }
});

test("they are what vtctldclient says of tablets and shards", async () => {
  const parts = await findParts();
  const server_ = status.vtctld.address;
  const vtctl = (...args: string[]) =>
    run({ file: parts.programs.vtctldclient, args: [...args, `--server=${server_}`, "--log-format=text"] });
  const tablets = JSON.parse(await vtctl("GetTablets", "--keyspace=kv", "--format=json")) as {
    shard: string;
    type: number;
  }[];
  const metrics = await scrape(server.url);
  const shards = [...new Set(tablets.map(({ shard }) => shard))].toSorted();
  expect(Object.keys(metrics.by("shard", "kv_replica_lag_seconds")).toSorted()).toEqual(shards);
  for (const [type, tablet] of [
    [1, "primary"],
    [2, "replica"],
  ] as const) {
    const serving = metrics.by("shard", "kv_tablets_serving", { tablet });
    for (const shard of shards) {
      const known = tablets.filter((each) => each.shard === shard && each.type === type);
      expect([shard, serving[shard]]).toEqual([shard, known.length]);
    }
  }
});

function batchOf(...ops: string[]): string {
  const operations = ops.map((op, i) => ({ op, key: `metrics-${i}`, ...(op === "put" && { value: "v" }) }));
  return JSON.stringify({ operations });
}
