// Whether the model is right: what it predicts for loads that it has not seen, and what is then measured.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, barTable } from "../bars.ts";
import { readInputs } from "../capacity/measured.ts";
import { valuesOf } from "../capacity/quantity.ts";
import { simulateLoad } from "../generators.ts";
import { type Findings, figure, median, packageVersion, percent, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { costsOf, type Kind, type Slowness } from "../simulation/costs.ts";
import { onMachine, type RigOptions, simulateRig, slownessFrom } from "../simulation/rig.ts";

/** Of the load simulator's workloads, the share of reads. */
const READS = { a: 0.5, b: 0.95, c: 1, write: 0 };

interface Load {
  shards: number;
  workload: keyof typeof READS;
  connections: number;
  valueBytes: number;
}

interface Outcome {
  /** Reads and writes together. */
  perSecond: number;
  /** Of reads, or where there are none of writes. */
  p50Ms: number;
}

interface Validated extends Load {
  predicted: Outcome;
  measured: Outcome;
  /** Of what was measured: 0.1 is a tenth too much. */
  errors: Outcome;
}

const load = (shards: number, workload: Load["workload"], connections: number, valueBytes = 256): Load => ({
  ...{ shards, workload, connections, valueBytes },
});

/** Loads of reads alone and of writes alone, by few and by many, which tell how fast the machine is today. */
const CALIBRATIONS: Record<Kind, Record<Connections, Load>> = {
  read: { few: load(2, "c", 32), many: load(2, "c", 2_000) },
  write: { few: load(2, "write", 16), many: load(2, "write", 2_000) },
};
const KINDS = ["read", "write"] as const;
const CONNECTIONS = ["few", "many"] as const;
type Connections = (typeof CONNECTIONS)[number];
/** The machine's speed changes from one minute to the next. */
const CALIBRATION_ROUNDS = 3;

/** In the order in which they need the fewest clusters. */
const LOADS: Load[] = [
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
  load(1, "b", 64),
  load(1, "a", 1_000),
  load(4, "b", 256),
  load(4, "write", 1_000),
];

/** How far off throughput and the median latency may be, and for how many loads at least they have to be nearer. */
const BOUNDS = { perSecond: 0.15, p50Ms: 0.25 };
const WITHIN = 10;
const SEED = 1;

export async function validate(rig: Rig): Promise<Findings> {
  const measure = measureWith(rig);
  const rates: Record<Kind, Record<Connections, number[]>> = {
    read: { few: [], many: [] },
    write: { few: [], many: [] },
  };
  for (let round = 1; round <= CALIBRATION_ROUNDS; round++) {
    for (const kind of KINDS) {
      for (const count of CONNECTIONS) rates[kind][count].push((await measure(CALIBRATIONS[kind][count])).perSecond);
    }
  }
  const calibration = (kind: Kind, count: Connections) => ({
    options: rigOf(CALIBRATIONS[kind][count]),
    perSecond: median(rates[kind][count]),
  });
  const known = valuesOf(readInputs());
  const ofKind = (kind: Kind) => ({ few: calibration(kind, "few"), many: calibration(kind, "many") });
  const slowness = slownessFrom({ read: ofKind("read"), write: ofKind("write") }, costsOf(known), SEED);
  // All of them, before anything is known.
  const predictions = LOADS.map((each) => {
    const costs = onMachine(costsOf(known, each.valueBytes), slowness);
    const { perSecond, p50Ms } = simulateRig(rigOf(each), costs, SEED);
    const p50 = READS[each.workload] > 0 ? p50Ms.read : p50Ms.write;
    return { ...each, predicted: { perSecond: perSecond.read + perSecond.write, p50Ms: p50 } };
  });
  const validated: Validated[] = [];
  for (const each of predictions) {
    const measured = await measure(each);
    const error = (of: keyof Outcome) => each.predicted[of] / measured[of] - 1;
    validated.push({ ...each, measured, errors: { perSecond: error("perSecond"), p50Ms: error("p50Ms") } });
  }
  // The sections after it want two shards.
  await rig.open();
  const isWithin = ({ errors }: Validated) =>
    Math.abs(errors.perSecond) <= BOUNDS.perSecond && Math.abs(errors.p50Ms) <= BOUNDS.p50Ms;
  const summary = {
    loads: validated.length,
    within: validated.filter(isWithin).length,
    perSecond: spreadOf("perSecond", validated),
    p50Ms: spreadOf("p50Ms", validated),
  };
  const bars = [
    atLeast("loads whose throughput is off by at most 15% and whose median by at most 25%", WITHIN, summary.within),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `\`npm run load\`: uniformly random keys of 10,000, closed loop, ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up each. The model's costs are those of the other results, times ${timesOf(slowness.read)} for reads and ${timesOf(slowness.write)} for writes, as the medians of ${CALIBRATION_ROUNDS} rounds of loads beside these have shown: ${KINDS.flatMap((kind) => CONNECTIONS.map((count) => titleOf(CALIBRATIONS[kind][count]))).join("; ")}.`,
    data: { slowness, rates, validated, summary, bars },
    markdown: [resultTable(validated), "## Bars", barTable(bars)].join("\n\n"),
  };
}

function timesOf({ statement, call }: Slowness): string {
  return `${figure(statement)} for each statement and ${figure(call)} for each call`;
}

function titleOf({ shards, workload, connections, valueBytes }: Load): string {
  const values = valueBytes === 256 ? "" : `, values of ${valueBytes} bytes`;
  return `${shards} shard${shards === 1 ? "" : "s"}, workload ${workload}, ${connections} connections${values}`;
}

function rigOf({ shards, workload, connections }: Load): RigOptions {
  // Of the load simulator for each call, from simulate.json: waking up for few, and larger tables for many.
  const generatorMicros = 11.5 + 49 / Math.sqrt(connections) + connections / 10_000;
  return { connections, shards, reads: READS[workload], generators: 1, generatorMicros, hot: false, cores: 2 };
}

/** Measures a load once, on a cluster and a server that are kept while loads want the same number of shards. */
function measureWith(rig: Rig) {
  let running: { shards: number; url: string } | undefined;
  return async (each: Load): Promise<Outcome> => {
    if (running?.shards !== each.shards) {
      await rig.clusterOf(each.shards);
      running = { shards: each.shards, url: (await rig.startServer()).url };
    }
    const { workload, connections, valueBytes } = each;
    const { seconds, warmupSeconds: warmup } = rig.options;
    const { steps, violations } = await simulateLoad(rig, titleOf(each), {
      ...{ url: running.url, workload, clients: [connections], valueBytes, seconds, warmup },
      ...{ distribution: "uniform", namespace: `validate-${valueBytes}` },
    });
    const step = steps[0];
    const p50 = (READS[workload] > 0 ? step?.reads : step?.writes)?.latencyMs?.p50;
    if (!step || p50 === undefined || violations > 0) {
      throw new Error(`${titleOf(each)}: ${violations} violations, or no answers`);
    }
    return { perSecond: step.reads.perSecond + step.writes.perSecond, p50Ms: p50 };
  };
}

/** By how much predictions are off, whichever way, on average and at most. */
function spreadOf(of: keyof Outcome, validated: Validated[]) {
  const errors = validated.map((each) => Math.abs(each.errors[of]));
  return { mean: errors.reduce((sum, error) => sum + error, 0) / errors.length, most: Math.max(...errors) };
}

function resultTable(validated: Validated[]): string {
  return table(
    ["Load", "calls/s predicted", "measured", "error", "p50 ms predicted", "measured", "error"],
    validated.map(({ predicted, measured, errors, ...each }) => [
      titleOf(each),
      ...[figure(predicted.perSecond), figure(measured.perSecond), percent(errors.perSecond)],
      ...[figure(predicted.p50Ms), figure(measured.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}
