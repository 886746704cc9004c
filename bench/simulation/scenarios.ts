// The whole target, simulated: slices are alike, so that some are simulated call by call and stand for all of them.

import { type Capacity, capacityOf, type Known } from "../capacity/model.ts";
import type { Design, Target } from "../capacity/target.ts";
import { percentileMs } from "../load/tally.ts";
import { figure, table } from "../report.ts";
import type { Costs } from "./costs.ts";
import { DEFAULT_SERVER } from "./server.ts";
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

/** A setting with what the capacity model says that it takes. */
interface Sized extends Setting {
  capacity: Capacity;
  slices: number;
  callsOfSlice: number;
  callersOfSlice: number;
}

/** Slices that stand for all: their latencies differ by chance alone. */
const SAMPLE = 4;
const WARMUP_SECONDS = 0.5;
const BEFORE_SECONDS = 1;
/** Until vtorc has made another tablet the primary: 3 s on two busy cores. */
const FAILOVER_SECONDS = 5;
const NOTICED_SECONDS = 1;
const ZONES = 3;
const STORM = { factor: 6, seconds: 1, afterSeconds: 2 };
const HOT_SHARES = [0.001, 0.01];
/** A server's queue, as long as what it can do in this time: what waits longer is better refused. */
const QUEUE_SECONDS = 0.25;
const EVER = Number.POSITIVE_INFINITY;

const IMPATIENT: Retries = { timeoutSeconds: 1, attempts: 5, pauseSeconds: 0.01, backsOff: false };
const POLITE: Retries = { timeoutSeconds: 10, attempts: 5, pauseSeconds: 1, backsOff: true };

export function scenarios(setting: Setting): Row[] {
  const capacity = capacityOf(setting.target, setting.design, setting.known);
  const { slices, inFlight, callsPerSecond } = capacity.traffic;
  const callersOfSlice = Math.round(inFlight / slices);
  const sized = { ...setting, capacity, slices, callsOfSlice: callsPerSecond / slices, callersOfSlice };
  return [
    ...steady(sized),
    ...shardFailure(sized),
    ...HOT_SHARES.map((share) => hotKey(sized, share)),
    ...retryStorm(sized),
    ...zoneLoss(sized),
  ];
}

/** One slice of the store that the model has sized, after what `start` begins in it has been under way for a while. */
function startSlice(sized: Sized, start: (slice: Slice) => void, change: { maxCalls?: number; offset?: number } = {}) {
  const { target, costs, seed, known, capacity, slices } = sized;
  const { serverProcesses } = capacity.traffic;
  // What is not simulated.
  const apart = capacity.tablets * known.idleTabletCores + capacity.traffic.cores.besides;
  const shards = Math.max(1, Math.round(capacity.shards.count / slices));
  const options = {
    servers: Math.max(1, Math.round(serverProcesses / slices)),
    shards,
    cores: {
      server: Math.max(1, capacity.cores.servers / serverProcesses),
      gates: capacity.cores.gates / slices,
      tablets: (capacity.cores.tablets - apart) / slices,
    },
    server: {
      // Two statements in each shard, and some for calls that can't share one.
      connections: 2 * shards + DEFAULT_SERVER.connections,
      maxCalls: change.maxCalls ?? DEFAULT_SERVER.maxCalls,
    },
    reads: target.reads,
    seed: seed + (change.offset ?? 0),
  };
  const slice = new Slice(options, costs);
  start(slice);
  slice.measure(WARMUP_SECONDS);
  return slice;
}

/** Goes on with a slice for so long, and tells of its calls as many times as there are slices like it. */
function go(slice: Slice, scenario: string, when: string, seconds: number, slices = 1): Row {
  const { latencies, affected, failed, refused }: Window = slice.measure(seconds);
  // Hundreds of thousands of calls wait in some of these: what is over should not take memory beside them.
  Bun.gc(true);
  return {
    ...{ scenario, when },
    callsPerSecond: (slices * (latencies.totalCount - failed)) / seconds,
    p50Ms: percentileMs(latencies, 50),
    p99Ms: percentileMs(latencies, 99),
    affectedP99Ms: percentileMs(affected, 99),
    refusedPerSecond: (slices * refused) / seconds,
    failedShare: failed / Math.max(1, latencies.totalCount),
  };
}

/** All callers at once, each waiting for its answer. */
function steady(sized: Sized): Row[] {
  const scenario = `all ${sized.capacity.traffic.inFlight.toLocaleString("en")} at once`;
  return Array.from({ length: SAMPLE }, (_, offset) => {
    const slice = startSlice(sized, (each) => each.addCallers(sized.callersOfSlice, PATIENT), { offset });
    return go(slice, scenario, `slice ${offset + 1} of ${SAMPLE}`, BEFORE_SECONDS, sized.slices);
  });
}

/**
 * Calls come as they do from the whole store, whose callers hardly notice one shard of thousands: they do not come to
 * wait for it one after the other, as those of one slice alone would.
 */
function shardFailure(sized: Sized): Row[] {
  const slice = startSlice(sized, (each) => {
    each.affected = ({ shard }) => shard === 0;
    each.addArrivals(sized.callsOfSlice, EVER, PATIENT);
  });
  const shards = sized.capacity.shards.count.toLocaleString("en");
  const scenario = `one shard of ${shards} without a primary for ${FAILOVER_SECONDS} s (its slice)`;
  const before = go(slice, scenario, "before", BEFORE_SECONDS);
  slice.shards[0]?.fail(FAILOVER_SECONDS);
  const during = go(slice, scenario, "meanwhile", FAILOVER_SECONDS + 1);
  return [before, during, go(slice, scenario, "after", BEFORE_SECONDS)];
}

function hotKey(sized: Sized, share: number): Row {
  const slice = startSlice(sized, (each) => {
    each.affected = ({ hot }) => hot;
    each.addArrivals(sized.callsOfSlice, EVER, PATIENT);
    each.addArrivals(sized.capacity.traffic.callsPerSecond * share, EVER, PATIENT, true);
  });
  return go(slice, `one key has ${100 * share}% of all calls (its slice)`, "meanwhile", 2 * BEFORE_SECONDS);
}

/** Calls come many times as fast for a while, to servers with and without bounded queues, by callers of two kinds. */
function retryStorm(sized: Sized): Row[] {
  const { callsPerSecond, serverProcesses } = sized.capacity.traffic;
  const short = Math.ceil((callsPerSecond / serverProcesses) * QUEUE_SECONDS);
  const kinds: [name: string, maxCalls: number, retries: Retries][] = [
    ["queues without bounds, callers that give up after 1 s and try again at once", EVER, IMPATIENT],
    [`queues of ${short} calls, the same callers`, short, IMPATIENT],
    [
      `queues of ${short} calls, callers that wait as Retry-After says, then twice as long each time, spread at random`,
      ...([short, POLITE] as const),
    ],
  ];
  return kinds.flatMap(([name, maxCalls, retries]) => {
    const start = (each: Slice) => each.addArrivals(sized.callsOfSlice, EVER, retries);
    const slice = startSlice(sized, start, { maxCalls });
    const scenario = `${STORM.factor} times the calls for ${STORM.seconds} s: ${name} (a slice)`;
    slice.addArrivals(sized.callsOfSlice * (STORM.factor - 1), slice.events.now + STORM.seconds, retries);
    return [
      go(slice, scenario, "meanwhile", STORM.seconds),
      go(slice, scenario, `the ${STORM.afterSeconds} s after`, STORM.afterSeconds),
      go(slice, scenario, `the next ${STORM.afterSeconds} s`, STORM.afterSeconds),
    ];
  });
}

/** All slices alike lose a third of their servers, cores and primaries. */
function zoneLoss(sized: Sized): Row[] {
  const { slices } = sized;
  const slice = startSlice(sized, (each) => each.addCallers(sized.callersOfSlice, PATIENT));
  const scenario = "one zone of three is lost";
  const seconds = FAILOVER_SECONDS + 1;
  const before = go(slice, scenario, "before", BEFORE_SECONDS, slices);
  slice.killServer(NOTICED_SECONDS);
  for (const shard of slice.shards.filter((_, i) => i % ZONES === 0)) shard.fail(FAILOVER_SECONDS);
  slice.loseCores(1 / ZONES);
  const during = go(slice, scenario, `the ${seconds} s after`, seconds, slices);
  return [before, during, go(slice, scenario, "with two zones", 2 * BEFORE_SECONDS, slices)];
}

export function scenarioTable(rows: Row[]): string {
  return table(
    ["Scenario", "", "calls/s", "p50 ms", "p99 ms", "p99 ms of what is struck", "refused/s", "failed"],
    rows.map((row) => [
      ...[row.scenario, row.when],
      ...[row.callsPerSecond, row.p50Ms, row.p99Ms, row.affectedP99Ms, row.refusedPerSecond].map(figure),
      `${figure(100 * row.failedShare)}%`,
    ]),
  );
}
