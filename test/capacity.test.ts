// The capacity model's and the simulation's own laws: what must hold whatever was measured. Neither needs a database.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { answer } from "../bench/capacity/answer.ts";
import { readInputs } from "../bench/capacity/measured.ts";
import { capacityOf } from "../bench/capacity/model.ts";
import { valuesOf } from "../bench/capacity/quantity.ts";
import { readResults } from "../bench/capacity/results.ts";
import { DEFAULTS, type OptionName, readTarget } from "../bench/capacity/target.ts";
import { Problem } from "../bench/cli.ts";
import { meanOf } from "../bench/costs/costs.ts";
import { verdictOn } from "../bench/simulation/cases.ts";
import { costsOf } from "../bench/simulation/costs.ts";
import { Events } from "../bench/simulation/events.ts";
import { Processor } from "../bench/simulation/processor.ts";
import { simulateRig } from "../bench/simulation/rig.ts";

const inputs = readInputs();
const known = valuesOf(inputs);
const costs = costsOf(meanOf(readResults().statements.rounds), known);
const ask = (options: Partial<Record<OptionName, string>> = {}) => {
  const { target, design } = readTarget({ ...DEFAULTS, ...options });
  return capacityOf(target, design, known);
};

describe("options", () => {
  test.each([
    [{ calls: "many" }, "--calls must be a number from 1 to"],
    [{ data: "5000" }, "--data must be a number with a unit"],
    [{ data: "5000 tB" }, "--data must be a number with a unit"],
    [{ value: "9MiB" }, "--value is out of range"],
    [{ latency: "0ms" }, "--latency is out of range"],
    [{ reads: "1.1" }, "--reads must be a number from 0 to 1"],
    [{ replicas: "2.5" }, "--replicas must be a whole number from 1 to 9"],
    [{ meaning: "open" }, "--meaning must be one of in-flight"],
  ])("%p is refused in one sentence", (options, message) => {
    const read = () => readTarget({ ...DEFAULTS, ...options });
    expect(read).toThrow(Problem);
    expect(read).toThrow(message);
  });

  test.each([
    ["capacity", ["--data", "5000"]],
    ["capacity", ["--unknown", "1"]],
    ["simulation", ["--seed", "x"]],
    ["simulation", ["--unknown", "1"]],
  ])("%s %p ends with 2 and one line", (program, options) => {
    const file = join(import.meta.dirname, `../bench/${program}.ts`);
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, file, ...options]);
    expect([exitCode, stdout.toString(), stderr.toString().trim().split("\n").length]).toEqual([2, "", 1]);
  });
});

describe("the model", () => {
  const usual = ask();

  test("twice the data takes twice the shards, and twice the disk for rows", () => {
    const twice = ask({ data: "10000TB" });
    expect(twice.shards.byStorage / usual.shards.byStorage).toBeCloseTo(2, 3);
    expect(twice.storage.replicaBytes / usual.storage.replicaBytes).toBeCloseTo(2, 6);
  });

  test("callers in flight are as many as calls a second times seconds a call", () => {
    expect(usual.traffic.callsPerSecond * 0.05).toBeCloseTo(1e6);
    expect(ask({ latency: "100ms" }).traffic.callsPerSecond).toBeCloseTo(usual.traffic.callsPerSecond / 2);
  });

  test("more replicas, shorter latencies, and servers for every shard cost more", () => {
    const cost = (options: Partial<Record<OptionName, string>>) => ask(options).dollars.total;
    expect(cost({ replicas: "5" })).toBeGreaterThan(usual.dollars.total);
    expect(cost({ latency: "10ms" })).toBeGreaterThan(usual.dollars.total);
    expect(cost({ routing: "any" })).toBeGreaterThan(usual.dollars.total);
    expect(cost({ packing: "none" })).toBeGreaterThan(usual.dollars.total);
  });

  test("a value that does not fit a page beside another has pages of its own", () => {
    const rowBytes = (value: string) => ask({ value, packing: "none" }).storage.rowBytes;
    expect(rowBytes("16000B")).toBeGreaterThan(16_384);
    expect(rowBytes("16000B")).toBeLessThan(2 * 16_384);
    expect(rowBytes("17kB")).toBeGreaterThan(2 * 16_384);
  });

  test("the same question has the same answer, whose ranges hold its values", () => {
    const { target, design } = readTarget(DEFAULTS);
    const first = answer(target, design, inputs);
    expect(answer(target, design, inputs)).toEqual(first);
    const { value, low, high } = first.ranges["dollars.total"] as (typeof first.ranges)[string];
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });
});

describe("the simulation", () => {
  test("things happen in the order of their times", () => {
    const events = new Events();
    const seen: number[] = [];
    for (let i = 0; i < 5_000; i++) {
      const time = (i * 7919) % 5_003;
      events.at(time, () => seen.push(time));
    }
    events.run(6_000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.length).toBe(5_000);
  });

  test("cores are shared: three tasks on two cores take half as long again as one", () => {
    const events = new Events();
    const processor = new Processor(events, 2);
    const ends: number[] = [];
    for (let i = 0; i < 3; i++) processor.compute(1, () => ends.push(events.now));
    events.run(10);
    for (const end of ends) expect(end).toBeCloseTo(1.5);
    expect(processor.busySeconds).toBeCloseTo(3);
  });

  test("callers are as many as calls a second times seconds a call, and chance is the seed's", () => {
    const options = {
      ...{ connections: 64, mix: { get: 1 }, shards: 2, generators: 1, generatorMicros: 15, hot: false, cores: 2 },
    };
    const run = (seed: number) => simulateRig(options, costs, seed);
    expect(run(1)).toEqual(run(1));
    const { perSecond, p50Ms } = run(2);
    expect((perSecond.read * p50Ms.read) / 1000).toBeGreaterThan(32);
    expect((perSecond.read * p50Ms.read) / 1000).toBeLessThan(96);
  });

  test("is not believed where it is far from what was measured", () => {
    const off = (...errors: number[]) =>
      verdictOn(errors.map((error) => ({ group: "plain", errors: { perSecond: error, p50Ms: -error } })));
    expect(off(0.1, 0.1, 0.29).isNearEnough).toBe(false);
    expect(off(0.1, 0.1, 0.2).isNearEnough).toBe(true);
    expect(off(0, 0, 0, 0, 0, -0.31).isNearEnough).toBe(false);
  });
});
