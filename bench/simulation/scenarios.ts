// The whole target, simulated: slices are alike, so that some are simulated call by call and stand for all of them.

import type { InputName } from "../capacity/measured.ts";
import { type Capacity, capacityOf, type Known } from "../capacity/model.ts";
import type { Values } from "../capacity/quantity.ts";
import type { Design, Target } from "../capacity/target.ts";
import type { Costs } from "./costs.ts";
import { DEFAULT_SERVER } from "./rig.ts";
import { PATIENT, type Retries, Slice, type Window } from "./slice.ts";

export interface Row {
  scenario: string;
  when: string;
  /** Of the whole store, as if all slices were as this one, or of one slice where only that is struck. */
  callsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of calls to what is struck: a shard, a key. */
  affectedP99Ms: number;
  refusedPerSecond: number;
  failedShare: number;
}

export interface Setting {
  target: Target;
  design: Design;
  known: Known;
  costs: Costs;
  seed: number;
}

/** Slices that stand for all: their latencies differ by chance alone. */
const SAMPLE = 4;
const WARMUP_SECONDS = 0.5;
const BEFORE_SECONDS = 1;
/** Until vtorc has made another tablet the primary: README has 3 s on two busy cores. */
const FAILOVER_SECONDS = 5;
const NOTICED_SECONDS = 1;
const ZONES = 3;
const STORM = { factor: 6, seconds: 1, afterSeconds: 2 };
const HOT_SHARES = [0.001, 0.01];
/** A server's queue, as long as what it can do in this time: what waits longer is better refused. */
const QUEUE_SECONDS = 0.25;

const IMPATIENT: Retries = { timeoutSeconds: 1, attempts: 5, pauseSeconds: 0.01, backsOff: false };
const POLITE: Retries = { timeoutSeconds: 10, attempts: 5, pauseSeconds: 1, backsOff: true };

export function scenarios(setting: Setting): Row[] {
  const capacity = capacityOf(setting.target, setting.design, setting.known);
  return [
    ...steady(setting, capacity),
    ...shardFailure(setting, capacity),
    ...hotKeys(setting, capacity),
    ...retryStorm(setting, capacity),
    ...zoneLoss(setting, capacity),
  ];
}

/** One slice of the store that the model has sized. */
function sliceOf(
  { target, costs, seed, known }: Setting,
  capacity: Capacity,
  change: { maxCalls?: number; offset?: number } = {},
) {
  const { slices, serverProcesses } = capacity.traffic;
  const idle = capacity.tablets * (known as Values<InputName>).idleTabletCores;
  const shards = Math.max(1, Math.round(capacity.shards.count / slices));
  return new Slice(
    {
      servers: Math.max(1, Math.round(serverProcesses / slices)),
      shards,
      cores: {
        server: Math.max(1, capacity.cores.servers / serverProcesses),
        gates: capacity.cores.gates / slices,
        tablets: (capacity.cores.tablets - idle) / slices,
      },
      // Two statements in each shard, and some for calls that can't share one.
      server: {
        ...DEFAULT_SERVER,
        connections: 2 * shards + DEFAULT_SERVER.connections,
        maxCalls: change.maxCalls ?? DEFAULT_SERVER.maxCalls,
      },
      reads: target.reads,
      seed: seed + (change.offset ?? 0),
    },
    costs,
  );
}

function rowOf(scenario: string, when: string, window: Window, seconds: number, slices: number): Row {
  // Hundreds of thousands of calls wait in some of these: what is over should not take memory beside them.
  Bun.gc(true);
  return {
    scenario,
    when,
    callsPerSecond: (slices * (window.latencies.count - window.failed)) / seconds,
    p50Ms: window.latencies.percentile(0.5),
    p99Ms: window.latencies.percentile(0.99),
    affectedP99Ms: window.affected.percentile(0.99),
    refusedPerSecond: (slices * window.refused) / seconds,
    failedShare: window.failed / Math.max(1, window.latencies.count),
  };
}

/** All callers at once, each waiting for its answer. */
function steady(setting: Setting, capacity: Capacity): Row[] {
  const { slices, inFlight } = capacity.traffic;
  return Array.from({ length: SAMPLE }, (_, i) => {
    const slice = sliceOf(setting, capacity, { offset: i });
    slice.addCallers(Math.round(inFlight / slices), PATIENT);
    slice.measure(WARMUP_SECONDS);
    return rowOf(
      `all ${inFlight.toLocaleString("en")} at once`,
      `slice ${i + 1} of ${SAMPLE}`,
      slice.measure(BEFORE_SECONDS),
      BEFORE_SECONDS,
      slices,
    );
  });
}

/**
 * Calls come as they do from the whole store, whose callers hardly notice one shard of thousands: they do not come to
 * wait for it one after the other, as those of one slice alone would.
 */
function shardFailure(setting: Setting, capacity: Capacity): Row[] {
  const slice = sliceOf(setting, capacity);
  const seconds = FAILOVER_SECONDS + 1;
  slice.addArrivals(capacity.traffic.callsPerSecond / capacity.traffic.slices, Number.POSITIVE_INFINITY, PATIENT);
  slice.affected = ({ shard }) => shard === 0;
  const scenario = `one shard of ${capacity.shards.count.toLocaleString("en")} without a primary for ${FAILOVER_SECONDS} s (its slice)`;
  slice.measure(WARMUP_SECONDS);
  const before = slice.measure(BEFORE_SECONDS);
  slice.shards[0]?.fail(FAILOVER_SECONDS);
  const during = slice.measure(seconds);
  const after = slice.measure(BEFORE_SECONDS);
  return [
    rowOf(scenario, "before", before, BEFORE_SECONDS, 1),
    rowOf(scenario, "meanwhile", during, seconds, 1),
    rowOf(scenario, "after", after, BEFORE_SECONDS, 1),
  ];
}

function hotKeys(setting: Setting, capacity: Capacity): Row[] {
  return HOT_SHARES.map((share) => {
    const slice = sliceOf(setting, capacity);
    const rate = capacity.traffic.callsPerSecond;
    slice.affected = ({ hot }) => hot;
    slice.addArrivals(rate / capacity.traffic.slices, Number.POSITIVE_INFINITY, PATIENT);
    slice.addArrivals(rate * share, Number.POSITIVE_INFINITY, PATIENT, true);
    slice.measure(WARMUP_SECONDS);
    const scenario = `one key has ${100 * share}% of all calls (its slice)`;
    return rowOf(scenario, "meanwhile", slice.measure(2 * BEFORE_SECONDS), 2 * BEFORE_SECONDS, 1);
  });
}

/** Calls come many times as fast for a while, to servers with and without bounded queues, by callers of two kinds. */
function retryStorm(setting: Setting, capacity: Capacity): Row[] {
  const { callsPerSecond, slices, serverProcesses } = capacity.traffic;
  const rate = callsPerSecond / slices;
  const short = Math.ceil((callsPerSecond / serverProcesses) * QUEUE_SECONDS);
  const kinds: [name: string, maxCalls: number, retries: Retries][] = [
    [
      "queues without bounds, callers that give up after 1 s and try again at once",
      Number.POSITIVE_INFINITY,
      IMPATIENT,
    ],
    [`queues of ${short} calls, the same callers`, short, IMPATIENT],
    [
      `queues of ${short} calls, callers that wait as Retry-After says, then twice as long each time, spread at random`,
      short,
      POLITE,
    ],
  ];
  return kinds.flatMap(([name, maxCalls, retries]) => {
    const slice = sliceOf(setting, capacity, { maxCalls });
    const scenario = `${STORM.factor} times the calls for ${STORM.seconds} s: ${name} (a slice)`;
    slice.addArrivals(rate, Number.POSITIVE_INFINITY, retries);
    slice.measure(WARMUP_SECONDS);
    slice.addArrivals(rate * (STORM.factor - 1), slice.events.now + STORM.seconds, retries);
    const row = (when: string, seconds: number) => rowOf(scenario, when, slice.measure(seconds), seconds, 1);
    return [
      row("meanwhile", STORM.seconds),
      row(`the ${STORM.afterSeconds} s after`, STORM.afterSeconds),
      row(`the next ${STORM.afterSeconds} s`, STORM.afterSeconds),
    ];
  });
}

/** All slices alike lose a third of their servers, cores and primaries. */
function zoneLoss(setting: Setting, capacity: Capacity): Row[] {
  const { slices, inFlight } = capacity.traffic;
  const slice = sliceOf(setting, capacity);
  const seconds = FAILOVER_SECONDS + 1;
  const scenario = "one zone of three is lost";
  slice.addCallers(Math.round(inFlight / slices), PATIENT);
  slice.measure(WARMUP_SECONDS);
  const before = slice.measure(BEFORE_SECONDS);
  slice.killServer(0, NOTICED_SECONDS);
  slice.shards.forEach((shard, i) => {
    if (i % ZONES === 0) shard.fail(FAILOVER_SECONDS);
  });
  slice.loseCores(1 / ZONES);
  const during = slice.measure(seconds);
  const after = slice.measure(2 * BEFORE_SECONDS);
  return [
    rowOf(scenario, "before", before, BEFORE_SECONDS, slices),
    rowOf(scenario, `the ${seconds} s after`, during, seconds, slices),
    rowOf(scenario, "with two zones", after, 2 * BEFORE_SECONDS, slices),
  ];
}
