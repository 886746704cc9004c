// The page's numbers, made of what a registry tells, and the ring that holds them for an hour.

import { expect, test } from "bun:test";
import { History, STEP_MS } from "./history.ts";
import { between, gauge, type Metric, quantileMs, statementRates, totalsOf } from "./numbers.ts";

const metrics = (calls: number, slow: number, extra: Metric[] = []): Metric[] => {
  const bucket = (le: string | number, value: number) => ({
    ...{ metricName: "kv_call_seconds_bucket", labels: { kind: "get", le }, value },
  });
  const rows = (part: string, value: number) => ({ metricName: `kv_batch_rows_${part}`, labels: {}, value });
  return [
    {
      name: "kv_calls_total",
      values: [
        { labels: { kind: "get", outcome: "ok" }, value: calls },
        { labels: { kind: "get", outcome: "unavailable" }, value: slow },
        { labels: { kind: "get", outcome: "overloaded" }, value: 3 },
      ],
    },
    {
      name: "kv_call_seconds",
      values: [bucket(0.01, calls), bucket(0.1, calls + slow), bucket("+Inf", calls + slow)],
    },
    { name: "kv_refused_total", values: [{ labels: { reason: "calls" }, value: 2 }] },
    { name: "kv_batch_rows", values: [rows("count", calls / 10), rows("sum", calls)] },
    { name: "kv_batch_calls_total", values: [{ labels: { lane: "entries" }, value: 2 * calls }] },
    {
      name: "kv_shard_statement_seconds",
      values: ["-80", "80-"].map((shard) => ({
        ...{ metricName: "kv_shard_statement_seconds_count", labels: { shard, statement: "get" }, value: calls },
      })),
    },
    ...extra,
  ];
};

test("are what lies between two readings", () => {
  const [before, after] = [totalsOf(metrics(100, 0)), totalsOf(metrics(300, 10))];
  expect(after).toMatchObject({ calls: 313, failed: 10, refused: 2, batches: 30, rows: 300, batchedCalls: 600 });
  expect(between(before, after, 10)).toEqual({
    ...{ callsPerSecond: 21, failedPerSecond: 1, refusedPerSecond: 0 },
    ...{ p50Ms: expect.closeTo(5.25, 5), p99Ms: expect.closeTo(81.1, 5), rowsPerBatch: 10, callsPerBatch: 20 },
  });
  expect(statementRates(before, after, 10)).toEqual(
    new Map([
      ["-80", 20],
      ["80-", 20],
    ]),
  );
});

test("are of a server that began anew since its start", () => {
  expect(between(totalsOf(metrics(1_000, 10)), totalsOf(metrics(100, 0)), 10).callsPerSecond).toBe(10.3);
});

test("are null where nothing happened", () => {
  const same = totalsOf(metrics(100, 0));
  expect(between(same, same, 10)).toMatchObject({ callsPerSecond: 0, p50Ms: null, rowsPerBatch: null });
  expect(between(totalsOf([]), totalsOf([]), 10)).toMatchObject({ callsPerSecond: 0, p99Ms: null });
  expect(gauge([], "kv_waiting_calls")).toBe(null);
});

test("a quantile beyond the last bound is that bound", () => {
  expect(
    quantileMs(
      [
        [1, 5],
        [Number.POSITIVE_INFINITY, 10],
      ],
      0.99,
    ),
  ).toBe(1_000);
  expect(quantileMs([], 0.5)).toBe(null);
});

test("an hour is kept and no more", () => {
  const history = new History();
  for (let i = 0; i < 400; i++) {
    history.add({ at: i * STEP_MS, time: i * STEP_MS, totals: totalsOf(metrics(i * 100, 0)) });
  }
  const points = history.all();
  expect([points.length, points.at(-1)?.time]).toEqual([360, 399 * STEP_MS]);
  expect(new Set(points.map(({ callsPerSecond }) => callsPerSecond))).toEqual(new Set([10]));
});
