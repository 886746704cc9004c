// Whether the model is right: what it predicts for loads that it has not seen, and what is then measured.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, type Bar, barTable } from "../bars.ts";
import { simulateLoad } from "../generators.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { CALIBRATIONS, CONFIGURATIONS, type Configuration, READS, titleOf } from "../validate/configurations.ts";
import { type Outcome, predict, slownessFrom } from "../validate/predict.ts";
import { Progress } from "../validate/progress.ts";

/** How far off throughput and the median latency may be, and for how many loads at least they have to be nearer. */
const BOUNDS = { perSecond: 0.15, p50Ms: 0.25 };
const LOADS = 10;
/** The machine's speed changes from one minute to the next. */
const CALIBRATION_ROUNDS = 3;

interface Validated extends Configuration {
  predicted: Outcome;
  measured: Outcome;
  /** Of what was measured: 0.1 is a tenth too much. */
  errors: Outcome;
}

export async function validate(rig: Rig): Promise<Findings> {
  const progress = new Progress();
  const measure = measureWith(rig, progress);
  const rates: Record<keyof typeof CALIBRATIONS, number[]> = { read: [], write: [] };
  for (let round = 1; round <= CALIBRATION_ROUNDS; round++) {
    for (const kind of ["read", "write"] as const) {
      rates[kind].push((await measure(CALIBRATIONS[kind], round)).perSecond);
    }
  }
  const calibrations = { read: median(rates.read), write: median(rates.write) };
  const slowness = slownessFrom(calibrations);
  // All of them, before anything is known.
  const predictions = CONFIGURATIONS.map((configuration) => ({
    ...configuration,
    predicted: predict(configuration, slowness),
  }));
  const validated: Validated[] = [];
  for (const each of predictions) {
    const measured = await measure(each);
    const error = (of: keyof Outcome) => each.predicted[of] / measured[of] - 1;
    validated.push({ ...each, measured, errors: { perSecond: error("perSecond"), p50Ms: error("p50Ms") } });
  }
  // Those after it want two shards.
  await rig.open();
  progress.clear();
  const summary = {
    loads: validated.length,
    within: validated.filter(({ errors }) => isWithin("perSecond", errors) && isWithin("p50Ms", errors)).length,
    perSecond: spreadOf("perSecond", validated),
    p50Ms: spreadOf("p50Ms", validated),
  };
  const bars: Bar[] = [
    atLeast("loads whose throughput is off by at most 15% and whose median by at most 25%", LOADS, summary.within),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `\`npm run load\`: uniformly random keys of 10,000, closed loop, ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up each. The model's costs are those of the other results, times ${figure(slowness.read)} for reads and ${figure(slowness.write)} for writes, as the medians of ${CALIBRATION_ROUNDS} rounds of two loads beside these have shown: ${titleOf(CALIBRATIONS.read)}, ${titleOf(CALIBRATIONS.write)}.`,
    data: { slowness, rates, validated, summary, bars },
    markdown: [resultTable(validated), "## Bars", barTable(bars)].join("\n\n"),
  };
}

/** Measures a load once, on a cluster and a server that are kept while loads want the same number of shards. */
function measureWith(rig: Rig, progress: Progress) {
  let running: { shards: number; url: string } | undefined;
  return async (configuration: Configuration, round = 1): Promise<Outcome> => {
    const name = `${titleOf(configuration)}, ${round}`;
    const known = progress.get(name);
    if (known) return known;
    if (running?.shards !== configuration.shards) {
      await rig.clusterOf(configuration.shards);
      running = { shards: configuration.shards, url: (await rig.startServer()).url };
    }
    const { workload, connections, valueBytes } = configuration;
    const { seconds, warmupSeconds: warmup } = rig.options;
    const { steps, violations } = await simulateLoad(rig, titleOf(configuration), {
      ...{ url: running.url, workload, clients: [connections], valueBytes, seconds, warmup },
      ...{ distribution: "uniform", namespace: `validate-${valueBytes}` },
    });
    const step = steps[0];
    const p50 = (READS[workload] > 0 ? step?.reads : step?.writes)?.latencyMs?.p50;
    if (!step || p50 === undefined || violations > 0) {
      throw new Error(`${titleOf(configuration)}: ${violations} violations, or no answers`);
    }
    const outcome = { perSecond: step.reads.perSecond + step.writes.perSecond, p50Ms: p50 };
    progress.set(name, outcome);
    return outcome;
  };
}

function isWithin(of: keyof Outcome, errors: Outcome): boolean {
  return Math.abs(errors[of]) <= BOUNDS[of];
}

/** By how much predictions are off, whichever way, on average and at most. */
function spreadOf(of: keyof Outcome, validated: Validated[]) {
  const errors = validated.map(({ errors }) => Math.abs(errors[of]));
  return { mean: errors.reduce((sum, error) => sum + error, 0) / errors.length, most: Math.max(...errors) };
}

function resultTable(validated: Validated[]): string {
  const percent = (error: number) => `${error > 0 ? "+" : ""}${figure(100 * error)}%`;
  return table(
    ["Load", "calls/s predicted", "measured", "error", "p50 ms predicted", "measured", "error"],
    validated.map(({ predicted, measured, errors, ...configuration }) => [
      titleOf(configuration),
      ...[figure(predicted.perSecond), figure(measured.perSecond), percent(errors.perSecond)],
      ...[figure(predicted.p50Ms), figure(measured.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}
