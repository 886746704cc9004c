// The Store where calls can't wait for those of others, as on Workers, by the same code: only what is called at once, as by
// a batch of one request, shares statements. Without sessions of shards these are of many keys for reads, and of one key
// for writes.

import { setTimeout as sleep } from "node:timers/promises";
import { ONE_SHARD } from "../database/shards.ts";
import type { Reads, Table } from "../database/table.ts";
import { DIRECT_READ_ROWS } from "../limits.ts";
import type { EntryKey, Store } from "../store/store.ts";
import type { WriteCall } from "./attempts.ts";
import type { Batch, Rest, Waiting } from "./batch.ts";
import { Call } from "./call.ts";
import { storeOver } from "./calls.ts";
import { retryDelayMs } from "./lane.ts";
import type { BatchingObserver } from "./observer.ts";
import { applyReads, lookFor, type ReadCall } from "./reads.ts";
import { applyScan } from "./scans.ts";
import { applyWrites } from "./writes.ts";

/** Every call settles within `deadlineMs`. */
export function directStore(table: Table, deadlineMs: number, observer?: BatchingObserver): Store {
  const write = gather<WriteCall>(byKey, (batch, deadline) => applyWrites(table, batch, deadline));
  const reads = <K extends keyof Reads>(kind: K) => {
    const find = (keys: EntryKey[], deadline: number) => table.read(kind, keys, deadline);
    const onExpired = (read: ReadCall<Reads[K]>) => write(lookFor(read, () => add(read)));
    const send = (batch: Batch<ReadCall<Reads[K]>>, deadline: number) =>
      applyReads({ find, onExpired, onLarge: (read) => perform([read], send) }, batch, deadline);
    const add = gather(inParts, send);
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
    scan: (_, waiting) => perform([waiting], (batch, deadline) => applyScan(table, batch, deadline)),
    shards: ONE_SHARD.all,
    ping: () => table.ping(performance.now() + deadlineMs),
  });
}

type Send<W> = (batch: Batch<W>, deadline: number) => Promise<Rest<W>>;

/** Takes calls, and sends those that have come before anything else happens, parted into batches. */
function gather<W extends Waiting<never>>(part: (all: W[]) => W[][], send: Send<W>): (waiting: W) => void {
  let arrived: W[] = [];
  return (waiting) => {
    arrived.push(waiting);
    if (arrived.length > 1) return;
    queueMicrotask(() => {
      const all = arrived;
      arrived = [];
      for (const each of part(all)) perform(each, send);
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

/** Settles the calls, or has them settled by whom they were handed over to. */
async function perform<W extends Waiting<never>>(calls: W[], send: Send<W>) {
  let left = calls;
  for (let failures = 0; ; ) {
    const now = performance.now();
    left = left.filter(({ call }) => {
      if (call.isOver || call.deadline <= now) call.expire();
      else call.sent(now, "");
      return !call.isOver;
    });
    if (left.length === 0) return;
    const deadline = Math.max(...left.map(({ call }) => call.deadline));
    try {
      const { again, failed } = await send(
        Map.groupBy(left, ({ id }) => id),
        deadline,
      );
      failures = failed ? failures + 1 : 0;
      left = again;
    } catch (error) {
      for (const { call } of left) call.reject(error);
      return;
    }
    if (failures > 0) await sleep(Math.min(retryDelayMs(failures), deadline - performance.now()));
  }
}
