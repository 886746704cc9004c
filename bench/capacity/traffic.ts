// Calls: how many there are in a second, how many share a statement, and what CPU each layer needs for them.
//
// The cores are those with which calls take as long as the target allows, when all of them are busy. With more, or while
// there are fewer calls, statements end sooner, fewer calls meet in one, and each costs more: what is spare is spent on
// latency, not left idle. So utilisation says little, and latency says all.

import { BATCH_BYTES, BATCH_READ_BYTES, LARGE_BATCH_ROWS } from "../../src/limits.ts";
import type { InputName } from "./measured.ts";
import type { Values } from "./quantity.ts";
import type { Design, Target } from "./target.ts";

/** KV_BATCH_ROWS of src/config.ts. */
const BATCH_ROWS = 500;
/** Of the values in the benchmarks, whose costs are those of the statements. */
const MEASURED_VALUE_BYTES = 256;
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
  /** Busy cores, before any is kept free. */
  cores: { servers: number; gates: number; tablets: number; primaries: number; sweep: number };
}

export function trafficOf(target: Target, design: Design, inputs: Values<InputName>, shards: number): Traffic {
  const callsPerSecond = rateOf(target, inputs);
  const reads = callsPerSecond * target.reads;
  const writes = callsPerSecond - reads;
  const expiries = writes * target.ttlShare;
  let processes = 1;
  let [readRows, writeRows] = [1, 1];
  for (let round = 0; round < ROUNDS; round++) {
    const lanes = shards * Math.min(processes, design.routing === "any" ? processes : inputs.processesPerSlice);
    const statementSeconds = Math.max(STATEMENT_SHARE * target.latencySeconds, inputs.readAloneMs / 1000);
    readRows = rowsOf((reads / lanes) * statementSeconds, readRowsMost(target.valueBytes));
    writeRows = rowsOf((writes / lanes) * statementSeconds, writeRowsMost(target.valueBytes, inputs.keyBytes));
    processes = Math.max(
      Math.ceil(connectionsOf(target, callsPerSecond) / inputs.openFiles),
      Math.ceil(serverCores(reads, writes, readRows, writeRows, inputs) / inputs.coreSpeed / inputs.cpuFill),
    );
  }
  const kb = Math.max(0, target.valueBytes - MEASURED_VALUE_BYTES) / 1000;
  const per = (kind: "read" | "write", layer: "Gate" | "Tablet" | "Mysql", rows: number) =>
    inputs[`${kind}Statement${layer}Micros`] / rows + inputs[`${kind}Row${layer}Micros`];
  // A fifth of a call's bytes are handled in each of five places: server, vtgate, vttablet, mysqld, and their kernels.
  const bytes = { read: (inputs.readMicrosPerKb * kb) / 5, write: (inputs.writeMicrosPerKb * kb) / 5 };
  const busy = (readMicros: number, writeMicros: number) =>
    (reads * readMicros + writes * writeMicros) / 1e6 / inputs.coreSpeed;
  const read = per("read", "Tablet", readRows) + per("read", "Mysql", readRows) + 3 * bytes.read;
  // Each of a shard's tablets writes it.
  const write =
    ((per("write", "Tablet", writeRows) + per("write", "Mysql", writeRows) + 3 * bytes.write) * design.replicas) / 3;
  const sweep = (expiries * inputs.sweepRowMicros * design.replicas) / 3 / 1e6 / inputs.coreSpeed;
  return {
    callsPerSecond,
    readsPerSecond: reads,
    writesPerSecond: writes,
    expiriesPerSecond: expiries,
    inFlight: callsPerSecond * target.latencySeconds,
    readRows,
    writeRows,
    serverProcesses: processes,
    slices: design.routing === "any" ? 1 : Math.max(1, Math.floor(processes / inputs.processesPerSlice)),
    cores: {
      servers:
        serverCores(reads, writes, readRows, writeRows, inputs) / inputs.coreSpeed + busy(bytes.read, bytes.write),
      gates: busy(per("read", "Gate", readRows) + bytes.read, per("write", "Gate", writeRows) + bytes.write),
      tablets: busy(read, write) + sweep,
      primaries: busy(read, write * inputs.primaryWriteShare) + sweep * inputs.primaryWriteShare,
      sweep,
    },
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

function serverCores(reads: number, writes: number, readRows: number, writeRows: number, inputs: Values<InputName>) {
  const read = inputs.readHttpMicros + inputs.readClientRowMicros + inputs.readClientStatementMicros / readRows;
  const write = inputs.writeHttpMicros + inputs.writeClientRowMicros + inputs.writeClientStatementMicros / writeRows;
  return (reads * read + writes * write) / 1e6;
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
