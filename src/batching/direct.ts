// The Store where calls can't wait for those of others, as on Workers, by the same code: only what is called at once, as by
// a batch of one request, shares statements. These are of one shard as far as shards are known, and of many keys for reads
// and of one key for writes.

import { setTimeout as sleep } from "node:timers/promises";
import { ONE_SHARD } from "../database/shards.ts";
import type { Reads, Table } from "../database/table.ts";
import { DIRECT_READ_ROWS } from "../limits.ts";
import type { EntryKey, Store } from "../store/store.ts";
import type { WriteCall } from "./attempts.ts";
import { type Batch, DONE, type Rest, type Waiting } from "./batch.ts";
import type { Shards } from "./batching.ts";
import { Call } from "./call.ts";
import { storeOver } from "./calls.ts";
import { retryDelayMs } from "./lane.ts";
import type { BatchingObserver } from "./observer.ts";
import { applyReads, lookFor, type ReadCall } from "./reads.ts";
import { applyScan } from "./scans.ts";
import { applyWrites } from "./writes.ts";

/** Those that lists go through may be one without a name, which has everything. */
export type DirectShards = Omit<Shards, "idOf"> & Partial<Pick<Shards, "idOf">>;

/** Over one place. Every call settles within `deadlineMs`. */
export function directStore(table: Table, deadlineMs: number): Store {
  const { shardOf, all, refresh } = ONE_SHARD;
  const ping = () => table.ping(performance.now() + deadlineMs);
  return directStoreOver({ shardOf, all, refresh, tableAt: () => table, ping }, deadlineMs);
}

/** The same over shards. */
export function directStoreOver(shards: DirectShards, deadlineMs: number, observer?: BatchingObserver): Store {
  const { refresh } = shards;
  const tableOf = (key: EntryKey) => shards.tableAt(shards.shardOf(key), "primary");
  const write = gather<WriteCall>({
    part: byKey,
    send: (batch, deadline) => applyWrites(tableOf(firstOf(batch).key), batch, deadline),
    refresh,
  });
  const reads = <K extends keyof Reads>(kind: K) => {
    const find = (keys: EntryKey[], deadline: number) => tableOf(keys[0] as EntryKey).read(kind, keys, deadline);
    const onExpired = (read: ReadCall<Reads[K]>) => write(lookFor(read, () => add(read)));
    const onLarge = (read: ReadCall<Reads[K]>) => perform([read], way);
    const way: Way<ReadCall<Reads[K]>> = {
      part: (all) => [...Map.groupBy(all, ({ key }) => shards.shardOf(key)).values()].flatMap(inParts),
      send: (batch, deadline) => applyReads({ find, onExpired, onLarge }, batch, deadline),
      refresh,
    };
    const add = gather(way);
    return add;
  };
  const read = { entries: reads("entries"), infos: reads("infos") };
  return storeOver({
    admit: (kind, bytes, caller) => {
      const now = performance.now();
      return new Call(
        kind,
        now,
        now + deadlineMs,
        bytes,
        caller,
        observer && ((...settled) => observer.settled(...settled)),
      );
    },
    read: (kind, waiting) => read[kind](waiting as never),
    write,
    scan: (shard, waiting) => {
      const isOfShard = (key: EntryKey) => shard === "" || shards.shardOf(key) === shard;
      const send: Send<typeof waiting> = async (batch, deadline) => {
        const rest = await applyScan(shards.tableAt(shard, "primary"), batch, deadline, isOfShard);
        if (rest.again.length === 0 || shards.all().some(({ name }) => name === shard)) return rest;
        // Which shards have what is in its range by now, only the whole page can tell.
        waiting.call.resolve(null);
        return DONE;
      };
      perform([waiting], { part: byKey, send, refresh });
    },
    shards: shards.all,
    idOf: shards.idOf,
    ping: shards.ping,
  });
}

type Send<W> = (batch: Batch<W>, deadline: number) => Promise<Rest<W>>;

/** How calls of a kind are done. */
interface Way<W> {
  /** Parts them into batches. */
  part: (all: W[]) => W[][];
  send: Send<W>;
  /** Told that the database did not take a batch. */
  refresh: () => void;
}

/** Takes calls, and sends those that have come before anything else happens, parted into batches. */
function gather<W extends Waiting<never>>(way: Way<W>): (waiting: W) => void {
  let arrived: W[] = [];
  return (waiting) => {
    arrived.push(waiting);
    if (arrived.length > 1) return;
    queueMicrotask(() => {
      const all = arrived;
      arrived = [];
      for (const each of way.part(all)) perform(each, way);
    });
  };
}

function byKey<W extends Waiting<never>>(all: W[]): W[][] {
  return [...Map.groupBy(all, ({ id }) => id).values()];
}

function inParts<W>(all: W[]): W[][] {
  const parts = Math.ceil(all.length / DIRECT_READ_ROWS);
  return Array.from({ length: parts }, (_, i) => all.slice(i * DIRECT_READ_ROWS, (i + 1) * DIRECT_READ_ROWS));
}

function firstOf<W>(batch: Batch<W>): W {
  const [[first]] = batch.values() as Iterable<W[]> as [[W]];
  return first;
}

/** Settles the calls of one batch, or has them settled by whom they were handed over to; parts anew what is left. */
async function perform<W extends Waiting<never>>(calls: W[], way: Way<W>, failuresBefore = 0) {
  const now = performance.now();
  const left = calls.filter(({ call }) => {
    if (call.isOver || call.deadline <= now) call.expire();
    else call.sent(now, "");
    return !call.isOver;
  });
  if (left.length === 0) return;
  const deadline = Math.max(...left.map(({ call }) => call.deadline));
  try {
    const { again, failed } = await way.send(
      Map.groupBy(left, ({ id }) => id),
      deadline,
    );
    const failures = failed ? failuresBefore + 1 : 0;
    if (again.length === 0) return;
    if (failed) {
      way.refresh();
      await sleep(Math.min(retryDelayMs(failures), deadline - performance.now()));
    }
    for (const each of way.part(again)) perform(each, way, failures);
  } catch (error) {
    for (const { call } of left) call.reject(error);
  }
}
