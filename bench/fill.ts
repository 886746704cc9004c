// Writes very many rows with the store's own statements, but without a call for each.

import { setTimeout as sleep } from "node:timers/promises";
import { inspectBackend } from "../src/database/backend.ts";
import { connect } from "../src/database/connect.ts";
import { watchShards } from "../src/database/shards.ts";
import type { Put } from "../src/database/statements.ts";
import { Table } from "../src/database/table.ts";
import { BATCH_BYTES } from "../src/limits.ts";
import { StoreError } from "../src/store/error.ts";
import { type EntryKey, entryKey, type NewExpiry } from "../src/store/store.ts";
import { newRevision, newVersion } from "../src/store/version.ts";
import { step } from "../vitess/support/progress.ts";
import { figure } from "./report.ts";
import type { Rig } from "./rig.ts";
import { ENTRY } from "./store.ts";
import { KEY_NAMES, KEYS } from "./system.ts";

/** Statements at once, and rows in each. */
const STATEMENTS = 4;
const STATEMENT_ROWS = 1_000;
const DEADLINE_MS = 60_000;
const PAUSE_MS = 200;

export interface Filling {
  rows: number;
  keyOf: (row: number) => EntryKey;
  expiry: NewExpiry;
  /** In place of the bench's value: one for all rows, or each row's own. */
  value?: Buffer | ((row: number) => Buffer);
}

/** Puts the bench's value under all of the bench's keys. */
export async function fillKeys(rig: Rig) {
  await fillRows(rig, { rows: KEYS, keyOf: (row) => entryKey("bench", KEY_NAMES[row] as string), expiry: "never" });
}

/** Puts a value under every key. */
export async function fillRows(rig: Rig, filling: Filling) {
  const { url, vtgates } = await rig.cluster();
  const database = connect({ url, backend: await inspectBackend(url), connections: 2 * STATEMENTS, queueLimit: 100 });
  try {
    const { shardOf } = await watchShards(database, {
      backend: "vitess",
      keyspace: vtgates[0].database,
      hash: (key) => Bun.hash.xxHash64(key),
    });
    const entries = new Table(database);
    let written = 0;
    await step(`write ${figure(filling.rows)} rows`, async (report) => {
      const statements = batches(filling, shardOf);
      const worker = async () => {
        for (const puts of statements) {
          rig.signal.throwIfAborted();
          await again((deadline) => entries.put(puts, deadline));
          written += puts.length;
          report(figure(written));
        }
      };
      await Promise.all(Array.from({ length: STATEMENTS }, worker));
    });
  } finally {
    await database.close();
  }
}

/** Sends a statement again while it fails for what passes. It may do so twice without harm. */
export async function again<T>(send: (deadline: number) => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + DEADLINE_MS; ; await sleep(PAUSE_MS)) {
    try {
      return await send(deadline);
    } catch (error) {
      const passes = error instanceof StoreError && error.code !== "internal";
      if (!passes || performance.now() + PAUSE_MS >= deadline) throw error;
    }
  }
}

/** All rows as statements, each for one shard. */
function* batches(
  { rows, keyOf, expiry, value = ENTRY.value }: Filling,
  shardOf: (key: EntryKey) => string,
): Generator<Put[], undefined> {
  const pending = new Map<string, Put[]>();
  for (let row = 0; row < rows; row++) {
    const key = keyOf(row);
    const own = typeof value === "function" ? value(row) : value;
    const shard = shardOf(key);
    const puts = pending.get(shard) ?? [];
    pending.set(shard, puts);
    puts.push({ key, revision: newRevision(newVersion()), expiry, content: { ...ENTRY, value: own } });
    if (puts.length === STATEMENT_ROWS || puts.length * own.length >= BATCH_BYTES) {
      pending.delete(shard);
      yield puts;
    }
  }
  yield* pending.values();
}
