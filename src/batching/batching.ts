// The Store of a server: calls that arrive while a batch is under way become the next one.
//
// Why this is linearizable, given that statements are:
//  1. A call joins a batch only before that is sent, and is answered only after what it says is in the database. So its
//     effect lies between its beginning and its end, as if it had been sent alone.
//  2. Hence a read that begins after a write was acknowledged is in a statement sent after that write was done.
//  3. Several reads of a key in one batch see one row: as if they had happened at the same instant.
//  4. Writes of a key in one batch happen one after the other at the instant at which their outcome is written, or, where
//     they change nothing, at which the row was read: see `writes.ts`.
//  5. A batch is for one shard, and each of its statements happens as a whole or not at all. A shard that has gone takes
//     none, and its calls then go to the shards that have its rows.

import type { Shards as ShardMap } from "../database/shards.ts";
import type { Reads, Table } from "../database/table.ts";
import { LARGE_BATCH_ROWS } from "../limits.ts";
import type { Consistency, EntryKey, Store } from "../store/store.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import type { WriteCall } from "./attempts.ts";
import type { Batch, Rest, Waiting } from "./batch.ts";
import { storeOver } from "./calls.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Lane } from "./lane.ts";
import { applyReads, lookFor, type ReadCall } from "./reads.ts";
import { applyScan, type ScanCall } from "./scans.ts";
import { applyWrites } from "./writes.ts";

export interface BatchingOptions extends AdmissionOptions {
  /** Batches of reads of a kind, and of writes, under way at once in a shard. */
  inFlight: { reads: number; writes: number };
  /** Most rows, and bytes of their keys and values, in one statement. */
  batchRows: number;
  batchBytes: number;
}

/** What it needs to know of the database. */
export interface Shards extends Pick<ShardMap, "shardOf" | "all" | "idOf"> {
  /** With the primary's rows, or a replica's. */
  tableAt: (shard: string, type: "primary" | "replica") => Table;
  /** Told that a shard did not take a batch: it may have gone. */
  refresh: () => void;
  ping: () => Promise<void>;
}

export interface BatchingStore extends Store {
  /** Whether it turns away every call at present. */
  isFull: () => boolean;
  /** See `Admission.reserve`. */
  reserve: (bytes: number) => () => void;
  /** What waits or is under way at this moment. */
  load: () => { calls: number; bytes: number };
}

/** Statements for large values at once in a shard: each carries a few of them only. */
const LARGE_STATEMENTS = 4;

/** Scans of a range at once in a shard. */
const SCANS = 4;

/** Of one shard. */
interface Lanes {
  entries: Lane<ReadCall<Reads["entries"]>>;
  infos: Lane<ReadCall<Reads["infos"]>>;
  writes: Lane<WriteCall>;
  scans: Lane<ScanCall>;
}

export function batchingStore(shards: Shards, options: BatchingOptions, clock: Clock = systemClock): BatchingStore {
  const admission = new Admission(options, clock);
  const lanesOfShards = { strong: new Map<string, Lanes>(), eventual: new Map<string, Lanes>() };
  const lanesOf = (key: EntryKey, consistency?: Consistency) => lanesAt(shards.shardOf(key), consistency);
  const lanesAt = (shard: string, consistency: Consistency = "strong"): Lanes => {
    const all = lanesOfShards[consistency];
    let lanes = all.get(shard);
    if (!lanes) {
      lanes = openLanes(shard, consistency);
      all.set(shard, lanes);
    }
    return lanes;
  };

  /** What replicas don't take goes to the primary: there is nothing that it does not have. */
  function openLanes(shard: string, consistency: Consistency): Lanes {
    const isStrong = consistency === "strong";
    const isOfShard = (key: EntryKey) => shards.shardOf(key) === shard;
    const table = () => shards.tableAt(shard, isStrong ? "primary" : "replica");
    const { inFlight, batchRows, batchBytes: maxBytes, observer } = options;
    type Sizes = { inFlight: number; maxRows: number };
    const lane = <W extends Waiting<never>>(
      name: string,
      { inFlight, maxRows }: Sizes,
      send: (batch: Batch<W>, deadline: number) => Promise<Rest<W>>,
      add: (waiting: W) => void,
    ) => {
      const again = (waiting: W[]) => waiting.forEach(add);
      const bounds = { inFlight, maxRows, maxBytes };
      return new Lane<W>({ name, shard, observer, ...bounds, send, again, onFailure: shards.refresh }, clock);
    };
    const reads = <K extends keyof Reads>(kind: K, sizes: Sizes, onLarge: (read: ReadCall<Reads[K]>) => void) => {
      type Read = ReadCall<Reads[K]>;
      const add = (read: Read) => lanesOf(read.key)[kind].add(read as never);
      const look = (read: Read) => lanesOf(read.key).writes.add(lookFor(read, () => add(read)));
      const onExpired = isStrong ? look : (read: Read) => read.call.resolve(null);
      const find = (keys: EntryKey[], deadline: number) => table().read(kind, keys, deadline);
      return lane<Read>(
        kind,
        sizes,
        (batch, deadline) => applyReads({ find, onExpired, onLarge }, batch, deadline),
        add,
      );
    };
    const none = () => {};
    const full = { inFlight: inFlight.reads, maxRows: batchRows };
    // Values too large for their share of a full statement go with fewer others, and at last alone.
    const alone = reads("entries", { inFlight: LARGE_STATEMENTS, maxRows: 1 }, none);
    const few = reads("entries", { inFlight: LARGE_STATEMENTS, maxRows: LARGE_BATCH_ROWS }, (read) => alone.add(read));
    return {
      entries: reads("entries", full, (read) => few.add(read)),
      infos: reads("infos", full, none),
      writes: lane<WriteCall>(
        "writes",
        { inFlight: inFlight.writes, maxRows: batchRows },
        (batch, deadline) => applyWrites(table(), batch, deadline, isOfShard),
        (write) => lanesOf(write.key).writes.add(write),
      ),
      scans: lane<ScanCall>(
        "scans",
        { inFlight: SCANS, maxRows: 1 },
        (batch, deadline) => applyScan(table(), batch, deadline, isOfShard),
        // Which shards have what is in its range by now, only the whole page can tell.
        ({ call }) => call.resolve(null),
      ),
    };
  }

  const store = storeOver({
    admit: (kind, bytes, caller) => admission.admit(kind, bytes, caller),
    read: (kind, read, consistency) => lanesOf(read.key, consistency)[kind].add(read as never),
    write: (write) => lanesOf(write.key).writes.add(write),
    shardOf: shards.shardOf,
    scan: (shard, scan, consistency) => lanesAt(shard, consistency).scans.add(scan),
    shards: shards.all,
    idOf: shards.idOf,
    ping: shards.ping,
  });
  return {
    ...store,
    isFull: () => admission.full,
    reserve: (bytes) => admission.reserve(bytes),
    load: () => admission.load,
  };
}
