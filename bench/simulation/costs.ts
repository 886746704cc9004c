// What everything takes in the simulation, in seconds: calibrated by the inputs of the capacity model, which the
// benchmarks have measured.

import type { InputName } from "../capacity/measured.ts";
import type { Values } from "../capacity/quantity.ts";

export type Kind = "read" | "write";

/** Of calls and statements of a kind. */
export interface KindCosts {
  /** The server's thread for one call: reading the request, writing the answer. */
  request: number;
  answer: number;
  /** The server's thread for a statement and for each of its rows. */
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

export interface Cost {
  statement: number;
  row: number;
}

export interface Costs {
  read: KindCosts;
  write: KindCosts;
  /** Each time that a thread wakes up for what has arrived. */
  wake: number;
  /** A call that is turned away. */
  refusal: number;
  valueBytes: number;
}

const MICROSECONDS = 1e-6;
/** Of the thread's work for a call, what comes before its statement; the rest is its answer. */
const REQUEST_SHARE = 0.6;
const MEASURED_VALUE_BYTES = 256;
const WAKE_MICROS = 12;
/** What the load generator takes of the latency on one connection. */
const GENERATOR_ALONE_SECONDS = 60 * MICROSECONDS;
/** overload.json: the server's cores in the phase with three times the load, without those for accepted calls. */
const REFUSAL_MICROS = 12;

/** Of entries with values of a size; the benchmarks' have 256 bytes. */
export function costsOf(inputs: Values<InputName>, valueBytes = MEASURED_VALUE_BYTES): Costs {
  return {
    read: kindCosts(inputs, "read", 1, valueBytes),
    write: kindCosts(inputs, "write", inputs.primaryWriteShare, valueBytes),
    wake: WAKE_MICROS * MICROSECONDS,
    refusal: REFUSAL_MICROS * MICROSECONDS,
    valueBytes,
  };
}

/** How many times as long things take as the costs say: what is done once a statement, and what is done for each call. */
export interface Slowness {
  statement: number;
  call: number;
}

export function slower(costs: KindCosts, { statement, call }: Slowness): KindCosts {
  const slowed = (cost: Cost) => ({ statement: cost.statement * statement, row: cost.row * call });
  return {
    request: costs.request * call,
    answer: costs.answer * call,
    client: slowed(costs.client),
    gate: slowed(costs.gate),
    primary: slowed(costs.primary),
    replicas: slowed(costs.replicas),
    beside: costs.beside * statement,
    waiting: costs.waiting * statement,
  };
}

function kindCosts(inputs: Values<InputName>, kind: Kind, primaryShare: number, valueBytes: number): KindCosts {
  const micros = (statement: InputName, row: InputName): Cost =>
    scaled({ statement: inputs[statement], row: inputs[row] }, MICROSECONDS);
  const client = micros(`${kind}ClientStatementMicros`, `${kind}ClientRowMicros`);
  const gate = micros(`${kind}StatementGateMicros`, `${kind}RowGateMicros`);
  const vttablets = micros(`${kind}StatementTabletMicros`, `${kind}RowTabletMicros`);
  const tablets = sum(vttablets, micros(`${kind}StatementMysqlMicros`, `${kind}RowMysqlMicros`));
  // A fifth of a value's bytes each in the server, vtgate, vttablet, mysqld and kernels (capacity/traffic.ts).
  const bytes =
    (Math.max(0, valueBytes - MEASURED_VALUE_BYTES) / 1000) * inputs[`${kind}MicrosPerKb`] * (MICROSECONDS / 5);
  const primary = scaled(tablets, primaryShare);
  const http = inputs[`${kind}HttpMicros`] * MICROSECONDS;
  // What a call takes on an idle store beyond what is computed for it one after the other.
  const computed = http + [client, gate, primary].reduce((all, cost) => all + of(cost, 1), 0);
  const alone = inputs[`${kind}AloneMs`] / 1000 - GENERATOR_ALONE_SECONDS;
  const beside = Math.max(0, inputs[`${kind}AloneClusterMicros`] * MICROSECONDS - of(sum(gate, tablets), 1));
  return {
    request: http * REQUEST_SHARE,
    answer: http * (1 - REQUEST_SHARE),
    client: withRow(client, bytes),
    gate: withRow(gate, bytes),
    primary: withRow(primary, 3 * bytes * primaryShare),
    replicas: withRow(scaled(tablets, 1 - primaryShare), 3 * bytes * (1 - primaryShare)),
    beside,
    waiting: Math.max(0, alone - computed),
  };
}

export function of({ statement, row }: Cost, rows: number): number {
  return statement + row * rows;
}

function sum(a: Cost, b: Cost): Cost {
  return { statement: a.statement + b.statement, row: a.row + b.row };
}

function scaled({ statement, row }: Cost, factor: number): Cost {
  return { statement: statement * factor, row: row * factor };
}

function withRow({ statement, row }: Cost, further: number): Cost {
  return { statement, row: row + further };
}
