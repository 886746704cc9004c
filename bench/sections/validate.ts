// Whether the model is right: what it predicts for loads that it has not seen, and what is then measured.

import type { RunningServer } from "../../vitess/run/server-process.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, barTable } from "../bars.ts";
import { readInputs } from "../capacity/measured.ts";
import { valuesOf } from "../capacity/quantity.ts";
import { KINDS, type Kind, SEVERAL } from "../costs/calls.ts";
import type { MeasuredCosts } from "../costs/costs.ts";
import { measureCosts } from "../costs/measure.ts";
import { clusterGroups, untilIdle } from "../cpu.ts";
import { fillKeys } from "../fill.ts";
import { httpLoad, simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import type { WorkloadName } from "../load/workloads.ts";
import { type Findings, figure, packageVersion } from "../report.ts";
import type { Rig } from "../rig.ts";
import { costsOf, type Known, onMachine, type Slowness } from "../simulation/costs.ts";
import {
  CALIBRATIONS,
  CONNECTIONS,
  type Comparison,
  compared,
  comparisonTable,
  GROUPS,
  judgedKind,
  LOADS,
  type Load,
  type Outcome,
  rigOf,
  type Turn,
  titleOf,
  workloadOf,
} from "../simulation/loads.ts";
import { type RigOptions, simulateRig, slownessFrom } from "../simulation/rig.ts";
import { batchSystem } from "../store.ts";

interface Validated extends Load, Comparison {
  options: RigOptions;
  turns: Turn[];
}

type Connections = (typeof CONNECTIONS)[number];
/** Calls a second. */
type Rates = Record<Kind, Record<Connections, number>>;
/** The machine's speed changes from one minute to the next. */
const LOADS_OF_ROUND = 5;

/** How far off throughput and the median latency may be. */
const BOUNDS = { perSecond: 0.15, p50Ms: 0.25 };
const SEED = 1;
const IDLE_TIMEOUT_MS = 15_000;
/** What has just been started does its first calls a tenth slower. */
const WARM_UP: LoadOptions = { workload: "a", clients: [256], seconds: 10, warmup: 0, namespace: "warm-up" };

export async function validate(rig: Rig): Promise<Findings> {
  const known = valuesOf(readInputs());
  const costs = await measureCosts(rig);
  const measure = measureWith(rig);
  const rounds: Rates[] = [];
  const outcomes: { measured: Outcome; round: number }[] = [];
  for (let turn = 0; turn < rig.options.rounds; turn++) {
    for (const [number, each] of LOADS.entries()) {
      const isOnTwo = each.shards === CALIBRATIONS.read.few.shards;
      if (isOnTwo && number % LOADS_OF_ROUND === 0) rounds.push(await ratesOf(measure));
      outcomes.push({ measured: await measure(each), round: rounds.length - 1 });
      if (isOnTwo && LOADS[number + 1]?.shards !== each.shards) rounds.push(await ratesOf(measure));
    }
  }
  rounds.push(await ratesOf(measure));
  const slownesses = rounds.slice(1).map((next, i) => slownessOf(costs, known, [rounds[i] as Rates, next]));
  const turns = outcomes.map(
    ({ measured, round }): Turn => ({ measured, slowness: slownesses[round] as Turn["slowness"] }),
  );
  const validated = LOADS.map((each, number): Validated => {
    const options = rigOf(each, costs);
    const own = turns.filter((_, i) => i % LOADS.length === number);
    const usual = costsOf(costs, known, each.valueBytes);
    const simulate = (slowness: Turn["slowness"]) => simulateRig(options, onMachine(usual, slowness), SEED);
    return { ...each, title: titleOf(each), options, turns: own, ...compared(options, own, simulate) };
  });
  // The sections after it want two shards.
  await rig.open();
  const groups = Object.groupBy(validated, ({ group }) => group);
  const bars = Object.entries(groups).map(([group, all = []]) =>
    atLeast(
      `${GROUPS[group as keyof typeof GROUPS]}: loads whose throughput is off by at most 15% and whose median by at most 25%`,
      all.length,
      all.filter(isWithin).length,
    ),
  );
  const range = (kind: Kind, what: keyof Slowness) => {
    const all = slownesses.map((each) => each[kind][what]);
    return `${figure(Math.min(...all))} to ${figure(Math.max(...all))}`;
  };
  const calibrations = KINDS.flatMap((kind) => CONNECTIONS.map((count) => titleOf(CALIBRATIONS[kind][count])));
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `\`npm run load\`, and oha for batches and lists: uniformly random keys of 10,000, closed loop, ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up each, after ${WARM_UP.seconds} s for what was new; all ${rig.options.rounds === 1 ? "once" : `${figure(rig.options.rounds)} times, one after the other, of which these are the means`}. What statements and calls cost was measured first (\`bench -- statements\` does the same), and is taken so many times as four other loads, before and after every ${LOADS_OF_ROUND} of these, have shown: ${calibrations.join("; ")}. That was ${range("read", "statement")} and ${range("write", "statement")} for the statements of reads and of writes, ${range("read", "call")} and ${range("write", "call")} for what each call is.`,
    data: { costs, rounds, validated, bars },
    markdown: [comparisonTable(validated), "## Bars", barTable(bars)].join("\n\n"),
  };
}

function isWithin({ errors }: Validated): boolean {
  return Math.abs(errors.perSecond) <= BOUNDS.perSecond && Math.abs(errors.p50Ms) <= BOUNDS.p50Ms;
}

async function ratesOf(measure: (load: Load) => Promise<Outcome>): Promise<Rates> {
  const rate = async (kind: Kind, count: Connections) => (await measure(CALIBRATIONS[kind][count])).perSecond;
  return {
    read: { few: await rate("read", "few"), many: await rate("read", "many") },
    write: { few: await rate("write", "few"), many: await rate("write", "many") },
  };
}

/** Between two rounds. */
function slownessOf(costs: MeasuredCosts, known: Known, rounds: [Rates, Rates]): Record<Kind, Slowness> {
  const calibration = (kind: Kind, count: Connections) => ({
    options: rigOf(CALIBRATIONS[kind][count], costs),
    perSecond: (rounds[0][kind][count] + rounds[1][kind][count]) / 2,
  });
  const ofKind = (kind: Kind) => ({ few: calibration(kind, "few"), many: calibration(kind, "many") });
  return slownessFrom({ read: ofKind("read"), write: ofKind("write") }, costsOf(costs, known), SEED);
}

/** Measures a load once, on a cluster and a server that are kept while loads want the same number of shards. */
function measureWith(rig: Rig) {
  let running: { shards: number; server: RunningServer } | undefined;
  return async (each: Load): Promise<Outcome> => {
    if (running?.shards !== each.shards) {
      await rig.clusterOf(each.shards);
      running = { shards: each.shards, server: await rig.startServer() };
      await fillKeys(rig);
      await simulateLoad(rig, "warm up", { ...WARM_UP, url: running.server.url });
    }
    const { server } = running;
    // What the load before it has left to do is not this one's.
    await untilIdle(
      [server.pid, ...Object.values(clusterGroups(await rig.cluster())).flat()],
      IDLE_TIMEOUT_MS,
      rig.signal,
    );
    return await (workloadOf(each).ohaMicros ? byOha(rig, server, each) : byLoadSimulator(rig, server, each));
  };
}

async function byLoadSimulator(rig: Rig, { url }: RunningServer, each: Load): Promise<Outcome> {
  const { connections, valueBytes } = each;
  const workload = each.workload as WorkloadName;
  const { seconds, warmupSeconds: warmup } = rig.options;
  const { steps, violations } = await simulateLoad(rig, titleOf(each), {
    ...{ url, workload, clients: [connections], valueBytes, seconds, warmup },
    ...{ distribution: "uniform", namespace: `validate-${valueBytes}-${workload}` },
  });
  const step = steps[0];
  const kind = judgedKind(workloadOf(each));
  const p50 = step?.[`${kind}s`].latencyMs?.p50;
  if (!step || p50 === undefined || violations > 0) {
    throw new Error(`${titleOf(each)}: ${violations} violations, or no answers`);
  }
  return { perSecond: step.reads.perSecond + step.writes.perSecond, p50Ms: p50 };
}

async function byOha(rig: Rig, server: RunningServer, each: Load): Promise<Outcome> {
  const { connections, workload } = each;
  const { seconds, warmupSeconds } = rig.options;
  const system = await batchSystem(rig, server, workload, connections, SEVERAL);
  const list = (seconds: number) =>
    httpLoad({ connections, seconds, url: `${server.url}/v1/kv/bench?limit=${SEVERAL}` }, rig.signal);
  const load = workload === "list" ? list : workload === "get batch" ? system.get : system.put;
  const { perSecond, p50Ms } = await step(titleOf(each), async () => {
    await load?.(warmupSeconds);
    const found = await load?.(seconds);
    const failures = { ...found?.failures, ...found?.statuses, 200: 0 };
    if (!found || Object.values(failures).some((count) => count > 0))
      throw new Error(`${titleOf(each)}: not all are 200`);
    return found;
  });
  return { perSecond, p50Ms };
}
