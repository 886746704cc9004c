// The loads whose throughput and latency are predicted and then measured, and those that tell how fast the machine is.

import { availableParallelism } from "node:os";
import { type CallName, callKind, type Kind, SEVERAL } from "../costs/calls.ts";
import { type MeasuredCosts, meanOf } from "../costs/costs.ts";
import { figure, percent, table } from "../report.ts";
import { VALUE_BYTES } from "../system.ts";
import type { Slowness } from "./costs.ts";
import type { Mix, RigOptions, RigResult } from "./rig.ts";

interface Workload {
  mix: Mix;
  /** All calls are about one key. */
  hot?: boolean;
  /** The load generator's for each call, where it is oha; else the load simulator makes them. */
  ohaMicros?: number;
}

/** By their names for the load simulator, and those that oha makes. */
const WORKLOADS = {
  a: { mix: { get: 0.5, put: 0.5 } },
  b: { mix: { get: 0.95, put: 0.05 } },
  c: { mix: { get: 1 } },
  write: { mix: { put: 1 } },
  hot: { mix: { get: 0.5, put: 0.5 }, hot: true },
  head: { mix: { head: 1 } },
  churn: { mix: { put: 0.5, delete: 0.5 } },
  "create-new": { mix: { create: 1 } },
  "if-match": { mix: { "if-match": 1 } },
  "put-ttl": { mix: { expire: 1 } },
  increments: { mix: { increment: 1 } },
  // As calls.json has it.
  "get batch": { mix: { "get batch": 1 }, ohaMicros: 140 },
  "put batch": { mix: { "put batch": 1 }, ohaMicros: 160 },
  list: { mix: { list: 1 }, ohaMicros: 100 },
} satisfies Record<string, Workload>;
type WorkloadName = keyof typeof WORKLOADS;

export interface Load {
  shards: number;
  workload: WorkloadName;
  connections: number;
  valueBytes: number;
}

const load = (shards: number, workload: WorkloadName, connections: number, valueBytes = VALUE_BYTES): Load => ({
  ...{ shards, workload, connections, valueBytes },
});

export const CONNECTIONS = ["few", "many"] as const;
/** Loads of reads alone and of writes alone, by few and by many, which tell how fast the machine is today. */
export const CALIBRATIONS: Record<Kind, Record<(typeof CONNECTIONS)[number], Load>> = {
  read: { few: load(2, "c", 32), many: load(2, "c", 2_000) },
  write: { few: load(2, "write", 16), many: load(2, "write", 2_000) },
};

export const GROUPS = { plain: "GETs and PUTs", other: "one key, and other kinds of call" };
type Group = keyof typeof GROUPS;
const grouped = (group: Group, loads: Load[]) => loads.map((each) => ({ ...each, group }));

/** In the order in which they need the fewest clusters; what leaves much to do behind it comes late. */
export const LOADS: (Load & { group: Group })[] = [
  ...grouped("plain", [
    load(2, "b", 16),
    load(2, "c", 64),
    load(2, "c", 1_000),
    load(2, "write", 32),
    load(2, "write", 1_000),
    load(2, "a", 256),
    load(2, "b", 4_000),
    load(2, "b", 15_000),
    load(2, "a", 256, 1_000),
    load(2, "b", 256, 4_000),
  ]),
  ...grouped("other", [
    load(2, "hot", 1_000),
    load(2, "head", 1_000),
    load(2, "get batch", 32),
    load(2, "list", 32),
    load(2, "put batch", 32),
    load(2, "if-match", 1_000),
    load(2, "put-ttl", 256),
    load(2, "increments", 1_000),
    load(2, "create-new", 1_000),
    load(2, "churn", 1_000),
  ]),
  ...grouped("plain", [load(1, "b", 64), load(1, "a", 1_000), load(4, "b", 256), load(4, "write", 1_000)]),
];

export function workloadOf({ workload }: Load): Workload {
  return WORKLOADS[workload];
}

/** The kind of call whose latency is compared: reads, or where there are none, writes. */
export function judgedKind({ mix }: Pick<RigOptions, "mix">): Kind {
  return (Object.keys(mix) as CallName[]).some((name) => callKind(name).kind === "read") ? "read" : "write";
}

export interface Outcome {
  /** Reads and writes together. */
  perSecond: number;
  /** Of reads, or where there are none of writes. */
  p50Ms: number;
}

export interface Comparison {
  group: Group;
  title: string;
  predicted: Outcome;
  measured: Outcome;
  /** Of the measured value: 0.1 is a tenth too much. */
  errors: Outcome;
}

/** One measurement of a load, and how slow the machine was at that time. */
export interface Turn {
  measured: Outcome;
  slowness: Record<Kind, Slowness>;
}

/** What the simulation says of each turn, beside what was measured: means of all. */
export function compared(options: RigOptions, turns: Turn[], simulate: (slowness: Turn["slowness"]) => RigResult) {
  const measured = meanOf(turns.map((turn) => turn.measured));
  const predicted = meanOf(
    turns.map(({ slowness }): Outcome => {
      const { perSecond, p50Ms } = simulate(slowness);
      return { perSecond: perSecond.read + perSecond.write, p50Ms: p50Ms[judgedKind(options)] };
    }),
  );
  const error = (of: keyof Outcome) => predicted[of] / measured[of] - 1;
  return { predicted, measured, errors: { perSecond: error("perSecond"), p50Ms: error("p50Ms") } };
}

export function comparisonTable(comparisons: Comparison[]): string {
  return table(
    ["Load", "calls/s predicted", "measured", "error", "p50 ms predicted", "measured", "error"],
    comparisons.map(({ title, predicted, measured, errors }) => [
      title,
      ...[figure(predicted.perSecond), figure(measured.perSecond), percent(errors.perSecond)],
      ...[figure(predicted.p50Ms), figure(measured.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}

export function titleOf({ shards, workload, connections, valueBytes }: Load): string {
  const values = valueBytes === VALUE_BYTES ? "" : `, values of ${valueBytes} bytes`;
  const several = workload.endsWith("batch") || workload === "list" ? ` of ${SEVERAL}` : "";
  return `${shards} shard${shards === 1 ? "" : "s"}, workload ${workload}${several}, ${connections} connections${values}`;
}

/** `idleCores` are what a cluster of two shards uses when nobody calls. */
export function rigOf(each: Load, { idleCores, perKb }: MeasuredCosts): RigOptions {
  const { shards, connections, valueBytes } = each;
  const { mix, hot = false, ohaMicros } = workloadOf(each);
  // Of the load simulator for each call, from simulate.json: waking up for few, and larger tables for many.
  const bytes = (perKb.generator * (valueBytes - VALUE_BYTES)) / 1000;
  const generatorMicros = ohaMicros ?? 11.5 + 49 / Math.sqrt(connections) + connections / 10_000 + bytes;
  const cores = availableParallelism() - (idleCores * shards) / 2;
  return { connections, shards, mix, generators: ohaMicros ? 2 : 1, generatorMicros, hot, cores };
}
