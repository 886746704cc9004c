// The Store where calls can't wait for one another, as on Workers: each is a batch of one, by the same code.

import { setTimeout as sleep } from "node:timers/promises";
import { ONE_SHARD } from "../database/shards.ts";
import type { Reads, Table } from "../database/table.ts";
import type { EntryKey, Store } from "../store/store.ts";
import type { Batch, Rest, Waiting } from "./batch.ts";
import { Call } from "./call.ts";
import { storeOver } from "./calls.ts";
import { retryDelayMs } from "./lane.ts";
import { applyReads, lookFor, type ReadCall } from "./reads.ts";
import { applyScan } from "./scans.ts";
import { applyWrites, type WriteCall } from "./writes.ts";

/** Every call settles within `deadlineMs`. */
export function directStore(table: Table, deadlineMs: number): Store {
  const write = (waiting: WriteCall) => perform(waiting, (batch, deadline) => applyWrites(table, batch, deadline));
  const read = <K extends keyof Reads>(kind: K, waiting: ReadCall<Reads[K]>) => {
    type Read = ReadCall<Reads[K]>;
    const find = (keys: EntryKey[], deadline: number) => table.read(kind, keys, deadline);
    const onExpired = (read: Read) => write(lookFor(read, () => start(read)));
    const start = (read: Read) =>
      perform(read, (batch, deadline) => applyReads({ find, onExpired, onLarge: () => {} }, batch, deadline));
    start(waiting);
  };
  return storeOver({
    admit: (bytes, caller) => new Call(performance.now() + deadlineMs, bytes, caller),
    read,
    write,
    scan: (_, waiting) => perform(waiting, (batch, deadline) => applyScan(table, batch, deadline)),
    shards: ONE_SHARD.all,
    ping: () => table.ping(performance.now() + deadlineMs),
  });
}

/** Settles the call, or has it settled by whom it was handed over to. */
async function perform<W extends Waiting<never>>(
  waiting: W,
  send: (batch: Batch<W>, deadline: number) => Promise<Rest<W>>,
) {
  const { call, id } = waiting;
  for (let failures = 0; ; ) {
    const leftMs = call.deadline - performance.now();
    if (call.isOver || leftMs <= 0) return call.expire();
    try {
      const { again, failed } = await send(new Map([[id, [waiting]]]), call.deadline);
      if (again.length === 0) return;
      failures = failed ? failures + 1 : 0;
    } catch (error) {
      return call.reject(error);
    }
    if (failures > 0) await sleep(Math.min(retryDelayMs(failures), leftMs));
  }
}
