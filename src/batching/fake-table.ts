// For tests of lanes, admission and batches: a table whose statements end when the test says so, a fake, to force an order
// of events.

import { expect } from "bun:test";
import { ONE_SHARD } from "../database/shards.ts";
import type { Change, Put } from "../database/statements.ts";
import type { Found, Known, Reads, Table } from "../database/table.ts";
import { StoreError, type StoreErrorCode } from "../store/error.ts";
import { type EntryKey, entryKey, keyName, type NewEntry } from "../store/store.ts";
import { type Revision, versionOf } from "../store/version.ts";
import { type BatchingOptions, batchingStore, type Shards } from "./batching.ts";

export const OPTIONS: BatchingOptions = {
  inFlight: { reads: 1, writes: 1 },
  batchRows: 100,
  batchBytes: 10_000,
  maxCalls: 1000,
  maxBytes: 100_000,
  deadlineMs: 10_000,
};
export const NOW = 1_000_000;

export const key = (name: string) => entryKey("ns", name);
export const entry = (value: string, expiry: NewEntry["expiry"] = "never"): NewEntry => ({
  value: Buffer.from(value),
  contentType: "text/plain",
  metadata: null,
  expiry,
});
const named = (each: EntryKey) => each.toString().slice(3);

export interface Stored {
  revision: Revision;
  expiresAtMs: number | null;
  value: string;
}

/** A statement that has been sent and has not ended. */
export interface Sent {
  name: string;
  keys: string[];
  /** Does what it is for, if that is not told otherwise, and answers or fails. */
  end: (error?: StoreErrorCode, effect?: boolean) => void;
}

export class FakeTable {
  readonly sent: Sent[] = [];
  readonly rows = new Map<string, Stored>();
  clockMs = NOW;
  /** Keys whose values are larger than their share of a statement. */
  readonly large = new Set<string>();

  private defer<R>(name: string, keys: EntryKey[], effect: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      const end = (error?: StoreErrorCode, happens = error === undefined) => {
        const result = happens ? effect() : undefined;
        if (error) reject(new StoreError(error, "as the test says"));
        else resolve(result as R);
      };
      this.sent.push({ name, keys: keys.map(named), end });
    });
  }

  read<K extends keyof Reads>(kind: K, keys: EntryKey[]): Promise<Found<Reads[K]>> {
    return this.defer(kind, keys, () => {
      const found = new Map();
      for (const each of keys) {
        const row = this.rows.get(keyName(each));
        const version = row && versionOf(row.revision);
        if (!row || !version) continue;
        const isPast = row.expiresAtMs !== null && row.expiresAtMs <= NOW;
        const value = Buffer.from(row.value);
        const info = { version, value, valueBytes: value.length };
        found.set(keyName(each), isPast ? "expired" : this.large.has(named(each)) ? "large" : info);
      }
      return found;
    });
  }
  known(keys: EntryKey[]): Promise<Known> {
    return this.defer("known", keys, () => {
      const found = keys.flatMap((each) => {
        const row = this.rows.get(keyName(each));
        return row ? [[keyName(each), { revision: row.revision, expiresAtMs: row.expiresAtMs }] as const] : [];
      });
      return { rows: new Map(found), large: new Set(), clockMs: this.clockMs };
    });
  }
  put(puts: Put[]) {
    const effect = () => {
      for (const { key, revision, content, expiry } of puts) {
        const expiresAtMs = typeof expiry === "string" ? null : "atMs" in expiry ? expiry.atMs : NOW + expiry.afterMs;
        this.rows.set(keyName(key), { revision, expiresAtMs, value: content.value.toString() });
      }
    };
    return this.defer(
      "put",
      puts.map((put) => put.key),
      effect,
    );
  }
  remove(keys: EntryKey[]) {
    return this.defer("delete", keys, () => {
      for (const each of keys) this.rows.delete(keyName(each));
    });
  }
  change(changes: Change[]) {
    const name = changes[0]?.guard === null ? "create" : changes[0]?.content ? "replace" : "touch";
    const keys = changes.map((change) => change.key);
    return this.defer(name, keys, () => {
      for (const { key, guard, revision, expiresAtMs, content } of changes) {
        const row = this.rows.get(keyName(key));
        if (row?.revision !== guard?.revision || row?.expiresAtMs !== guard?.expiresAtMs) continue;
        const value = content?.value.toString() ?? row?.value ?? "";
        this.rows.set(keyName(key), { revision, expiresAtMs, value });
      }
      return this.revisions(changes);
    });
  }
  reclaim(keys: EntryKey[]) {
    return this.defer("reclaim", keys, () => {
      const expired = keys.filter((each) => (this.rows.get(keyName(each))?.expiresAtMs ?? NOW + 1) <= NOW);
      for (const each of expired) this.rows.delete(keyName(each));
      return expired.length === keys.length;
    });
  }
  lookBack(written: (Put | Change)[]) {
    const keys = written.map((each) => each.key);
    return this.defer("look_back", keys, () => {
      const found = this.revisions(written);
      return written.some(({ key, revision }) => found.get(keyName(key)) === revision) ? found : null;
    });
  }
  private revisions(written: { key: EntryKey }[]): Map<string, Revision> {
    const ids = written.map((each) => keyName(each.key));
    return new Map(ids.flatMap((id) => (this.rows.has(id) ? [[id, (this.rows.get(id) as Stored).revision]] : [])));
  }

  /** Ends the next statements as they are sent, which must have these names. */
  async expectNext(...names: string[]) {
    for (const name of names) {
      await settle();
      const next = this.sent.shift();
      expect(next?.name).toBe(name);
      next?.end();
    }
    await settle();
  }
}

export function make(options: Partial<BatchingOptions> = {}, shards: Partial<Shards> = {}) {
  const table = new FakeTable();
  const tableAt = () => table as unknown as Table;
  const over = { ...ONE_SHARD, tableAt, ping: async () => {}, ...shards };
  return { table, store: batchingStore(over, { ...OPTIONS, ...options }) };
}

/** Lets everything happen that waits for nothing but the event loop. */
export async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error) => error.code as string,
  );
