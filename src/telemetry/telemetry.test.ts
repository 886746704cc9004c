// Series as Prometheus reads them, labels that stay few, and what several processes tell together.

import { expect, spyOn, test } from "bun:test";
import v8 from "node:v8";
import pino from "pino";
import { Registry } from "prom-client";
import { Journal } from "./journal.ts";
import { Metrics } from "./metrics.ts";
import { ToldByProcesses } from "./processes.ts";
import { Count, Distribution, Family } from "./series.ts";
import { SHARDS, shardLabels } from "./shards.ts";

const make = () => new Metrics({ journal: new Journal(1000), log: pino({ level: "silent" }) });

test("a histogram has cumulative buckets, a sum and a count", async () => {
  const registry = new Registry();
  const family = new Family(registry, {
    ...{ name: "x", help: "X.", type: "histogram", labels: ["kind"] },
    make: () => new Distribution([1, 5]),
  });
  for (const value of [0.5, 1, 2, 7]) family.of("a").add(value);
  expect(await registry.metrics()).toBe(`# HELP x X.
# TYPE x histogram
x_bucket{kind="a",le="1"} 2
x_bucket{kind="a",le="5"} 3
x_bucket{kind="a",le="+Inf"} 4
x_sum{kind="a"} 10.5
x_count{kind="a"} 4
`);
});

test("a shard has its own name in labels while there are few, and then that of its part of the key space", () => {
  const few = Array.from({ length: SHARDS }, (_, i) => String(i));
  expect(shardLabels(() => few)("-80")).toBe("-80");
  const names = Array.from({ length: 40_000 }, (_, i) => {
    const bound = (n: number) =>
      Math.floor((n * 0x10000) / 40_000)
        .toString(16)
        .padStart(4, "0");
    return `${i === 0 ? "" : bound(i)}-${i === 39_999 ? "" : bound(i + 1)}`;
  });
  const labelOf = shardLabels(() => names);
  const labels = new Set(names.map(labelOf));
  expect(labels.size).toBe(SHARDS);
  expect([labelOf("4980-49a0"), labelOf("-0001"), labelOf("ffff-")]).toEqual(["48-4c", "-04", "fc-"]);
});

test("what a process has counted is not lost when it ends, and what its gauges told is", async () => {
  const processes = new ToldByProcesses();
  const all = [make(), make(), make()];
  for (const [i, metrics] of all.entries()) {
    const call = { kind: "get", arrivedAt: performance.now(), sentAt: undefined, shard: undefined, caller: undefined };
    metrics.calls.settled(call, "ok");
    metrics.calls.refused("bytes");
    processes.told(i, await metrics.snapshot());
  }
  const told = async () => (await (all[0] as Metrics).gather(async () => processes.all())).metrics();
  const expectTold = async (count: number) => {
    const text = await told();
    expect(text).toContain('kv_calls_total{kind="get",outcome="ok"} 3\n');
    expect(text).toContain('kv_call_seconds_count{kind="get"} 3\n');
    expect(text).toContain('kv_refused_total{reason="bytes"} 3\n');
    expect(text).toContain(`kv_processes ${count}\n`);
  };
  await expectTold(3);
  processes.ended(2);
  await expectTold(2);
  processes.ended(1);
  await expectTold(1);
});

test("to tell of the process takes no walk over its heap", async () => {
  const walks = spyOn(v8, "getHeapSpaceStatistics");
  const metrics = make();
  walks.mockClear();
  const text = await (await metrics.gather()).metrics();
  expect(walks).not.toHaveBeenCalled();
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    expect(text).toMatch(new RegExp(`^${name} `, "m"));
  }
  walks.mockRestore();
});

test("failures of statements have few labels, whatever they say", async () => {
  const metrics = make();
  for (let i = 0; i < 1000; i++) {
    const reason = i % 2 ? `ER_${i} HY000` : `Duplicate entry 'secret-${i}'`;
    metrics.statements.ended("put", { shard: "-80", type: "primary" }, 1, { code: "internal", reason });
  }
  const text = await (await metrics.gather()).metrics();
  const lines = text.split("\n").filter((line) => line.startsWith("kv_statement_failures_total{"));
  expect(lines.length).toBeLessThanOrEqual(201);
  expect(text).not.toContain("secret");
});

test("a series is the same object each time", () => {
  const count = new Family(new Registry(), {
    ...{ name: "x", help: "X.", type: "counter", labels: ["a"] },
    make: () => new Count(),
  });
  // The same object each time, so whoever counts often may keep it.
  expect(count.of("1")).toBe(count.of("1"));
  expect(count.of("1")).not.toBe(count.of("2"));
});
