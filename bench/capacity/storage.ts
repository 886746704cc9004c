// Bytes: what one entry takes on a tablet's disk, and all of them together.

import { type InputName, ROW_OVERHEAD_BYTES } from "./measured.ts";
import { storedBytesOf } from "./packing.ts";
import type { Values } from "./quantity.ts";
import type { Design, Target } from "./target.ts";
import { rateOf } from "./traffic.ts";

export interface Storage {
  rows: number;
  rowBytes: number;
  indexBytes: number;
  /** Of one tablet of each shard together. */
  replicaBytes: number;
  /** Of all tablets' binary logs. */
  logBytes: number;
  /** Of all tablets, with the room that stays free. */
  diskBytes: number;
  /** In an object store: backups with the binary logs since. */
  objectBytes: number;
}

/** InnoDB's: a page, what of it holds rows, and what of a page outside the B-tree holds a value. */
const PAGE_BYTES = 16_384;
const OVERFLOW_BYTES = PAGE_BYTES - 57;
/** A larger row has its value moved to pages of its own, for a page must hold two rows (dynamic row format). */
const INLINE_BYTES = 8_126;
/** What is left of such a value in the row. */
const POINTER_BYTES = 20;
/** What of an entry the benchmarks stored; the fill of pages by larger rows was not measured. */
const MEASURED_ROW_BYTES = 400;
const EXPIRY_BYTES = 8;

export function storageOf(target: Target, design: Design, inputs: Values<InputName>): Storage {
  const { dataBytes, valueBytes, ttlShare } = target;
  const rows = dataBytes / (inputs.keyBytes + valueBytes);
  const kept = design.pages === "rebuilt" ? inputs.rebuiltShare : 1;
  const rowBytes = rowBytesOf(storedBytesOf(target, design, inputs), ttlShare, inputs, kept);
  const indexBytes = ttlShare * inputs.ttlIndexBytes + (1 - ttlShare) * inputs.plainIndexBytes;
  const replicaBytes = rows * (rowBytes + indexBytes);
  const loggedPerSecond = rateOf(target, inputs) * (1 - target.reads) * logBytesOf(target, design, inputs);
  const logBytes = loggedPerSecond * inputs.binlogHours * 3600 * design.replicas;
  const backups = (replicaBytes + loggedPerSecond * inputs.backupDays * 86_400) * inputs.backupsKept;
  return {
    rows,
    rowBytes,
    indexBytes,
    replicaBytes,
    logBytes,
    diskBytes: (replicaBytes * design.replicas + logBytes) / inputs.diskFill,
    objectBytes: backups,
  };
}

/** `kept` is what a rebuild leaves of a page's bytes, of those that hold several rows. */
function rowBytesOf(value: number, ttlShare: number, inputs: Values<InputName>, kept: number): number {
  const rest = inputs.keyBytes + inputs.contentTypeBytes + ROW_OVERHEAD_BYTES + ttlShare * EXPIRY_BYTES;
  const row = rest + value;
  if (row <= INLINE_BYTES) return (kept * row) / (row > MEASURED_ROW_BYTES ? inputs.inPageFill : inputs.fill);
  return (kept * (rest + POINTER_BYTES)) / inputs.fill + Math.ceil(value / OVERFLOW_BYTES) * PAGE_BYTES;
}

/** Bytes that a write puts into the binary log, which is also what each replica is sent. */
export function logBytesOf(target: Target, design: Design, inputs: Values<InputName>): number {
  return inputs.keyBytes + inputs.contentTypeBytes + ROW_OVERHEAD_BYTES + storedBytesOf(target, design, inputs);
}
