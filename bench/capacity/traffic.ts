// Calls: how many there are in a second, how many share a statement, and what CPU each layer needs for them.
//
// The cores are those with which calls take as long as the target allows, when all of them are busy. With more, or while
// there are fewer calls, statements end sooner, fewer calls meet in one, and each costs more: what is spare is spent on
// latency, not left idle. So utilisation says little, and latency says all.

import { BATCH_BYTES, BATCH_READ_BYTES, LARGE_BATCH_ROWS } from "../../src/limits.ts";
import type { Kind } from "../costs/calls.ts";
import { VALUE_BYTES } from "../system.ts";
import type { InputName } from "./measured.ts";
import { storedBytesOf } from "./packing.ts";
import type { Values } from "./quantity.ts";
import type { Design, Target } from "./target.ts";

/** KV_BATCH_ROWS of src/config.ts. */
const BATCH_ROWS = 500;
/**
 * A call waits for half of the statement under way, on average, and then for its own: of the time that it takes at the
 * most, two thirds are one statement's.
 */
const STATEMENT_SHARE = 2 / 3;
/** Rounds until the number of servers and the rows of a statement, which depend on each other, no longer change. */
const ROUNDS = 20;

export interface Traffic {
  callsPerSecond: number;
  readsPerSecond: number;
  writesPerSecond: number;
  /** Writes with a TTL: in the long run as many rows expire. */
  expiriesPerSecond: number;
  inFlight: number;
  /** Rows of an average statement. */
  readRows: number;
  writeRows: number;
  /** Server processes, each with one thread of JavaScript. */
  serverProcesses: number;
  /** Groups of servers, each for its own part of the shards. */
  slices: number;
  /** Busy cores, before any is kept free; `besides` are those of tablets for sweeps, rebuilds and rows from disk. */
  cores: { servers: number; gates: number; tablets: number; primaries: number; sweep: number; besides: number };
}

export function trafficOf(target: Target, design: Design, inputs: Values<InputName>, shards: number): Traffic {
  const callsPerSecond = rateOf(target, inputs);
  const reads = callsPerSecond * target.reads;
  const writes = callsPerSecond - reads;
  const calls = { reads, writes, expiries: writes * target.ttlShare };
  const { serverProcesses, rows } = batchesOf(calls, target, design, inputs, shards);
  return {
    callsPerSecond,
    readsPerSecond: reads,
    writesPerSecond: writes,
    expiriesPerSecond: calls.expiries,
    inFlight: callsPerSecond * target.latencySeconds,
    readRows: rows.read,
    writeRows: rows.write,
    serverProcesses,
    slices: design.routing === "any" ? 1 : Math.max(1, Math.floor(serverProcesses / inputs.processesPerSlice)),
    cores: coresOf(calls, rows, target, design, inputs),
  };
}

type Rows = Record<Kind, number>;
/** A second's. */
type Calls = { reads: number; writes: number; expiries: number };

/** How many servers it takes, and how many rows then meet in a statement. */
function batchesOf(calls: Calls, target: Target, design: Design, inputs: Values<InputName>, shards: number) {
  const { latencySeconds } = target;
  const valueBytes = storedBytesOf(target, design, inputs);
  const statementSeconds = Math.max(STATEMENT_SHARE * latencySeconds, inputs.readAloneMs / 1000);
  const connections = connectionsOf(target, calls.reads + calls.writes);
  const rows: Rows = { read: 1, write: 1 };
  let serverProcesses = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const ofShard = design.routing === "any" ? serverProcesses : Math.min(serverProcesses, inputs.processesPerSlice);
    const lanes = shards * ofShard;
    rows.read = rowsOf((calls.reads / lanes) * statementSeconds, readRowsMost(valueBytes));
    rows.write = rowsOf((calls.writes / lanes) * statementSeconds, writeRowsMost(valueBytes, inputs.keyBytes));
    serverProcesses = Math.max(
      Math.ceil(connections / inputs.openFiles),
      Math.ceil(serverCores(calls, rows, target, design, inputs) / inputs.coreSpeed / inputs.cpuFill),
    );
  }
  return { serverProcesses, rows };
}

function coresOf(calls: Calls, rows: Rows, target: Target, design: Design, inputs: Values<InputName>) {
  const furtherKb = furtherKbOf(storedBytesOf(target, design, inputs));
  const row = (kind: Kind, layer: "Gate" | "Tablet" | "Mysql") =>
    inputs[`${kind}Statement${layer}Micros`] / rows[kind] +
    inputs[`${kind}Row${layer}Micros`] +
    inputs[`${kind}Kb${layer}Micros`] * furtherKb;
  const busy = (readMicros: number, writeMicros: number) =>
    (calls.reads * readMicros + calls.writes * writeMicros) / 1e6 / inputs.coreSpeed;
  // What the other costs were measured of was in memory.
  const cold = { read: inputs.coldShare * inputs.coldReadMicros, write: inputs.coldShare * inputs.coldWriteMicros };
  const read = row("read", "Tablet") + row("read", "Mysql") + cold.read;
  // Three tablets wrote what was measured.
  const written = design.replicas / 3;
  const write = (row("write", "Tablet") + row("write", "Mysql") + cold.write) * written;
  // At worst every write makes a row, and all rows are written anew each time that some of them are new.
  const rebuilt = design.pages === "rebuilt" ? (calls.writes * design.replicas) / inputs.rebuiltAtNew : 0;
  const rebuilds = (rebuilt * inputs.rebuildRowMicros) / 1e6 / inputs.coreSpeed;
  const sweep = (calls.expiries * inputs.sweepRowMicros * written) / 1e6 / inputs.coreSpeed;
  return {
    servers: serverCores(calls, rows, target, design, inputs) / inputs.coreSpeed,
    gates: busy(row("read", "Gate"), row("write", "Gate")),
    tablets: busy(read, write) + sweep + rebuilds,
    primaries:
      busy(read, write * inputs.primaryWriteShare) + sweep * inputs.primaryWriteShare + rebuilds / design.replicas,
    sweep,
    besides: sweep + rebuilds + busy(cold.read, cold.write * written),
  };
}

/** HTTP/1.1: a call that is under way has a connection to itself. */
export function connectionsOf({ meaning, calls, latencySeconds }: Target, callsPerSecond: number): number {
  return meaning === "per-second" ? callsPerSecond * latencySeconds : calls;
}

/** By Little's law, as `calls` counts what is open, under way, or made in a second. */
export function rateOf({ meaning, calls, latencySeconds }: Target, inputs: Values<InputName>): number {
  if (meaning === "per-second") return calls;
  return calls / (meaning === "in-flight" ? latencySeconds : inputs.secondsBetweenCalls + latencySeconds);
}

function serverCores(calls: Calls, rows: Rows, target: Target, design: Design, inputs: Values<InputName>): number {
  const { valueBytes } = target;
  const packedKb = design.packing === "dictionary" ? valueBytes / 1000 : 0;
  const codec = { read: inputs.unpackMicrosPerKb * packedKb, write: inputs.packMicrosPerKb * packedKb };
  const micros = (kind: Kind) =>
    codec[kind] +
    inputs[`${kind}HttpMicros`] +
    inputs.httpKbMicros * furtherKbOf(valueBytes) +
    inputs[`${kind}ClientRowMicros`] +
    inputs[`${kind}ClientKbMicros`] * furtherKbOf(storedBytesOf(target, design, inputs)) +
    inputs[`${kind}ClientStatementMicros`] / rows[kind];
  return (calls.reads * micros("read") + calls.writes * micros("write")) / 1e6;
}

/** Of a value, beyond those with which calls and rows were measured. */
function furtherKbOf(valueBytes: number): number {
  return Math.max(0, valueBytes - VALUE_BYTES) / 1000;
}

function rowsOf(waiting: number, most: number): number {
  return Math.min(most, Math.max(1, waiting));
}

/** Values that are larger than their share of a full statement are read with fewer others. */
function readRowsMost(valueBytes: number): number {
  return valueBytes <= BATCH_READ_BYTES / BATCH_ROWS ? BATCH_ROWS : LARGE_BATCH_ROWS;
}

function writeRowsMost(valueBytes: number, keyBytes: number): number {
  return Math.max(1, Math.min(BATCH_ROWS, BATCH_BYTES / (valueBytes + keyBytes)));
}
