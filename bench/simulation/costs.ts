// What everything takes in the simulation, in seconds, as it was measured for each statement and each kind of call.

import { CALL_NAMES, type CallName, callKind, type Kind, USUAL } from "../costs/calls.ts";
import {
  FEW,
  type Layer,
  type MeasuredCosts,
  pointsOf,
  READING,
  STATEMENTS,
  type StatementName,
} from "../costs/costs.ts";
import { VALUE_BYTES } from "../system.ts";

/** Of a server's thread for one call: reading the request, writing the answer. */
interface CallCosts {
  request: number;
  answer: number;
}

/** Seconds by rows, from the fewest rows to the most. */
type Cost = readonly (readonly [rows: number, seconds: number])[];

interface StatementCosts {
  /** The server's thread. */
  client: Cost;
  gate: Cost;
  /** On the way to the answer: the primary's vttablet and mysqld; and beside it: the replicas. */
  primary: Cost;
  replicas: Cost;
  /** Once a statement, beside all that: pollers and threads that wake up, or spin, when little else is under way. */
  beside: number;
  /** Waiting that takes no core: the network, disks, and a second machine's acknowledgement. */
  waiting: number;
}

export interface Costs {
  /** With `FEW` connections, see `crowded`. */
  calls: Record<CallName, CallCosts>;
  statements: Record<StatementName, StatementCosts>;
  crowding: Record<Kind, number>;
  /** Each time that a thread wakes up for what has arrived. */
  wake: number;
  /** A call that is turned away. */
  refusal: number;
  valueBytes: number;
}

/** Of the capacity model's inputs. */
export interface Known {
  primaryWriteShare: number;
}

const MICROSECONDS = 1e-6;
/** Of the thread's work for a call, what comes before its statement; the rest is its answer. */
const REQUEST_SHARE = 0.6;
/** Statements whose rows have a value. */
const WITH_VALUES: StatementName[] = ["get", "put", "create", "replace"];
const WAKE_MICROS = 12;
/** What the load generator takes of the latency on one connection. */
const GENERATOR_ALONE_SECONDS = 60 * MICROSECONDS;
/** overload.json: the server's cores in the phase with three times the load, without those for accepted calls. */
const REFUSAL_MICROS = 12;

/** Of entries with values of a size; the benchmarks' have 256 bytes. */
export function costsOf(measured: MeasuredCosts, known: Known, valueBytes = VALUE_BYTES): Costs {
  const calls = CALL_NAMES.map((name): [CallName, CallCosts] => {
    const bytes = (measured.perKb.server * Math.max(0, valueBytes - VALUE_BYTES)) / 1000;
    const seconds = (measured.calls[name] + bytes) * MICROSECONDS;
    return [name, { request: seconds * REQUEST_SHARE, answer: seconds * (1 - REQUEST_SHARE) }];
  });
  const statements = STATEMENTS.map((name): [StatementName, StatementCosts] => [
    name,
    statementCosts(measured, known, name, valueBytes),
  ]);
  return {
    calls: Object.fromEntries(calls) as Costs["calls"],
    statements: Object.fromEntries(statements) as Costs["statements"],
    crowding: measured.crowding,
    wake: WAKE_MICROS * MICROSECONDS,
    refusal: REFUSAL_MICROS * MICROSECONDS,
    valueBytes,
  };
}

export function kindOf(name: StatementName): Kind {
  return READING.includes(name as (typeof READING)[number]) ? "read" : "write";
}

function statementCosts(
  measured: MeasuredCosts,
  known: Known,
  name: StatementName,
  valueBytes: number,
): StatementCosts {
  const kind = kindOf(name);
  const furtherKb = WITH_VALUES.includes(name) ? Math.max(0, valueBytes - VALUE_BYTES) / 1000 : 0;
  const { client, gate, tablets } = layersOf(measured, name, furtherKb);
  const primaryShare = kind === "read" ? 1 : known.primaryWriteShare;
  return {
    client,
    gate,
    primary: scaled(tablets, primaryShare),
    replicas: scaled(tablets, 1 - primaryShare),
    ...aloneCosts(measured, kind, primaryShare),
  };
}

/** What a call takes on an idle store beyond what is computed for it one after the other. */
function aloneCosts(measured: MeasuredCosts, kind: Kind, primaryShare: number) {
  const { client, gate, tablets } = layersOf(measured, USUAL[kind]);
  const { ms, clusterMicros } = measured.alone[kind];
  const http = measured.calls[USUAL[kind]] * MICROSECONDS;
  const computed = http + [client, gate, scaled(tablets, primaryShare)].reduce((all, cost) => all + of(cost, 1), 0);
  return {
    beside: Math.max(0, clusterMicros * MICROSECONDS - of(sum(gate, tablets), 1)),
    waiting: Math.max(0, ms / 1000 - GENERATOR_ALONE_SECONDS - computed),
  };
}

/** With rows whose values are so much larger. */
function layersOf({ statements, perKb }: MeasuredCosts, name: StatementName, furtherKb = 0) {
  const seconds = (layer: Layer): Cost => {
    const row = furtherKb * perKb[kindOf(name)][layer];
    return pointsOf(statements[name][layer]).map(([rows, micros]) => [rows, MICROSECONDS * (micros + row * rows)]);
  };
  return { client: seconds("client"), gate: seconds("gate"), tablets: sum(seconds("tablet"), seconds("mysql")) };
}

/** Costs of calls to a server with so many connections. */
export function crowded(costs: Costs, connections: number): Costs {
  const tenfold = Math.max(0, Math.log10(connections / FEW));
  return withCalls(costs, (name) => 1 + costs.crowding[callKind(name).kind] * tenfold);
}

/** How many times as long things take as the costs say: what is done for each call, and once a statement. */
export interface Slowness {
  statement: number;
  call: number;
}

/** Costs on a machine on which reads, and writes, take so many times as long. */
export function onMachine(costs: Costs, slowness: Record<Kind, Slowness>): Costs {
  const statements = STATEMENTS.map((name): [StatementName, StatementCosts] => [
    name,
    slower(costs.statements[name], slowness[kindOf(name)]),
  ]);
  return {
    ...withCalls(costs, (name) => slowness[callKind(name).kind].call),
    statements: Object.fromEntries(statements) as Costs["statements"],
  };
}

function withCalls(costs: Costs, timesOf: (name: CallName) => number): Costs {
  const calls = CALL_NAMES.map((name): [CallName, CallCosts] => {
    const { request, answer } = costs.calls[name];
    const times = timesOf(name);
    return [name, { request: request * times, answer: answer * times }];
  });
  return { ...costs, calls: Object.fromEntries(calls) as Costs["calls"] };
}

function slower(costs: StatementCosts, { statement, call }: Slowness): StatementCosts {
  const slowed = (cost: Cost): Cost => {
    const [[, one]] = cost as [Cost[number]];
    return cost.map(([rows, seconds]) => [rows, one * statement + (seconds - one) * call]);
  };
  return {
    client: slowed(costs.client),
    gate: slowed(costs.gate),
    primary: slowed(costs.primary),
    replicas: slowed(costs.replicas),
    beside: costs.beside * statement,
    waiting: costs.waiting * statement,
  };
}

/** Between what was measured on a line, and beyond it on the last. */
export function of(cost: Cost, rows: number): number {
  const next = cost.findIndex(([most], i) => i > 0 && rows <= most);
  const at = next < 0 ? cost.length - 1 : next;
  const [[fewer, less], [more, most]] = [cost[at - 1], cost[at]] as [Cost[number], Cost[number]];
  return less + ((most - less) * (rows - fewer)) / (more - fewer);
}

function sum(a: Cost, b: Cost): Cost {
  return a.map(([rows, seconds], i) => [rows, seconds + (b[i] as Cost[number])[1]]);
}

function scaled(cost: Cost, factor: number): Cost {
  return cost.map(([rows, seconds]) => [rows, seconds * factor]);
}
