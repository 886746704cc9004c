// Transactions of several keys over a table that loses answers, and at which another server writes too: a fake, to have
// both happen often. Each transaction happens once or not at all, and to all of its keys.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { ONE_SHARD } from "../database/shards.ts";
import type { Change, StoredRow } from "../database/statements.ts";
import type { Known, Table } from "../database/table.ts";
import { StoreError } from "../store/error.ts";
import { type EntryKey, type EntryState, entryKey, keyName, type Transaction } from "../store/store.ts";
import { newRevision, newVersion, type Revision, versionOf } from "../store/version.ts";
import { type BatchingStore, batchingStore } from "./batching.ts";

const NOW = 1_000_000;
const KEYS = ["a", "b", "c", "d"].map((name) => entryKey("ns", name));

/** What becomes of a change: another server is first, or it is lost before it or after it is made. */
type Fate = "done" | "raced" | "lost before" | "lost after";

class FakeTable {
  readonly rows = new Map<string, StoredRow>();
  /** Of the changes to come; then all are done. */
  constructor(readonly fates: Fate[]) {}

  async known(keys: EntryKey[]): Promise<Known> {
    const rows = keys.flatMap((key) => {
      const row = this.rows.get(keyName(key));
      return row ? [[keyName(key), row] as const] : [];
    });
    return { rows: new Map(rows), large: new Set(), clockMs: NOW };
  }
  async changeTogether(changes: Change[]): Promise<boolean> {
    const fate = this.fates.shift() ?? "done";
    if (fate === "raced") this.touch(changes[0] as Change);
    if (fate === "lost before") throw new StoreError("outcome_unknown", "as the test says");
    const holds = changes.every(({ key, guard }) => this.rows.get(keyName(key))?.revision === guard?.revision);
    if (holds) for (const change of changes) this.set(change);
    if (fate === "lost after") throw new StoreError("outcome_unknown", "as the test says");
    return holds;
  }
  /** Of single keys. */
  async change(changes: Change[]): Promise<Map<string, Revision>> {
    for (const change of changes) {
      if (this.rows.get(keyName(change.key))?.revision === change.guard?.revision) this.set(change);
    }
    return this.revisions(changes);
  }
  async lookBack(changes: Change[]): Promise<Map<string, Revision> | null> {
    const revisions = this.revisions(changes);
    return changes.some(({ key, revision }) => revisions.get(keyName(key)) === revision) ? revisions : null;
  }
  value(key: EntryKey): number {
    const row = this.rows.get(keyName(key));
    return row && versionOf(row.revision) ? Number(row.content?.value.toString()) : 0;
  }

  private revisions(changes: Change[]): Map<string, Revision> {
    const rows = changes.map(({ key }) => [keyName(key), this.rows.get(keyName(key))?.revision] as const);
    return new Map(rows.filter((row): row is [string, Revision] => row[1] !== undefined));
  }
  private set({ key, revision, expiresAtMs, content }: Change) {
    const before = this.rows.get(keyName(key));
    this.rows.set(keyName(key), { revision, expiresAtMs, content: content ?? before?.content });
  }
  /** Another server leaves a value as it is, and another revision. */
  private touch({ key }: Change) {
    const row = this.rows.get(keyName(key));
    if (row) this.rows.set(keyName(key), { ...row, revision: newRevision(versionOf(row.revision)) });
    else this.rows.set(keyName(key), { revision: newRevision(null), expiresAtMs: NOW });
  }
}

function storeOver(table: FakeTable): BatchingStore {
  return batchingStore(
    { ...ONE_SHARD, tableAt: () => table as unknown as Table, refresh: () => {}, ping: async () => {} },
    {
      ...{ inFlight: { reads: 1, writes: 1 }, batchRows: 100, batchBytes: 100_000 },
      ...{ maxCalls: 1_000, maxBytes: 1_000_000, deadlineMs: 10_000 },
    },
  );
}

const numberIn = (entry: EntryState | null) => Number(entry?.content?.value.toString() ?? 0);
const holding = (number: number): EntryState => ({
  content: { value: Buffer.from(String(number)), contentType: "text/plain", metadata: null },
  expiresAtMs: null,
});
/** Adds one to each of its keys but the last, which it reads, and answers what it has found. */
const COUNT: Transaction<number[]> = {
  bytes: 10,
  apply: (found) => ({
    entries: found.map((entry, i) => (i === found.length - 1 ? entry : holding(numberIn(entry) + 1))),
    answer: found.map(numberIn),
  }),
};

test("each happens once, or nobody is told that it did", async () => {
  const fates = fc.array(fc.constantFrom<Fate>("done", "raced", "lost before", "lost after"), { maxLength: 6 });
  const calls = fc.array(fc.shuffledSubarray(KEYS, { minLength: 2 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fates, calls, async (fates, calls) => {
      const table = new FakeTable(fates);
      const store = storeOver(table);
      const single = store.update(KEYS[0] as EntryKey, {
        ...{ bytes: 1, valueBytes: 20 },
        apply: (found) => ({ entry: holding(numberIn(found) + 100), answer: null }),
      });
      const results = await Promise.allSettled([single, ...calls.map((keys) => store.transact(keys, COUNT))]);
      for (const key of KEYS) {
        const weights = [key === KEYS[0] ? 100 : 0, ...calls.map((keys) => (keys.slice(0, -1).includes(key) ? 1 : 0))];
        const sum = (of: (i: number) => boolean) => weights.reduce((all, each, i) => all + (of(i) ? each : 0), 0);
        const least = sum((i) => results[i]?.status === "fulfilled");
        const most = sum((i) => {
          const result = results[i] as PromiseRejectedResult;
          return result.status === "rejected" && result.reason.code === "outcome_unknown";
        });
        expect(table.value(key)).toBeWithin(least, least + most + 1);
      }
      // What was answered was there: of those that count one key, no two have found the same.
      for (const key of KEYS) {
        const found = calls.flatMap((keys, i) => {
          const result = results[i + 1] as PromiseFulfilledResult<{ answer: number[] } | null>;
          const at = keys.slice(0, -1).indexOf(key);
          return result.status === "fulfilled" && at >= 0 ? [result.value?.answer[at]] : [];
        });
        expect(new Set(found).size).toBe(found.length);
      }
    }),
    { numRuns: 150 },
  );
});

test("what changes nothing writes nothing, and keys of several shards are refused", async () => {
  const table = new FakeTable([]);
  const store = storeOver(table);
  const look: Transaction<number[]> = {
    bytes: 0,
    apply: (found) => ({ entries: found, answer: found.map(numberIn) }),
  };
  expect(await store.transact(KEYS, look)).toEqual({ answer: [0, 0, 0, 0] });
  expect(table.rows.size).toBe(0);
  await store.transact(KEYS, COUNT);
  expect(await store.transact(KEYS, look)).toEqual({ answer: [1, 1, 1, 0] });
  expect(await store.transact([], look)).toBe(null);
});

test("an entry that a transaction was told had expired never comes back", async () => {
  const table = new FakeTable([]);
  const [a, b] = KEYS as [EntryKey, EntryKey];
  const content = { value: Buffer.from("7"), contentType: "text/plain", metadata: null };
  table.rows.set(keyName(a), { revision: newRevision(newVersion()), expiresAtMs: NOW, content });
  const before = table.rows.get(keyName(a))?.revision;
  const store = storeOver(table);
  const found = await store.transact([a, b], { bytes: 0, apply: (found) => ({ entries: found, answer: found }) });
  expect(found).toEqual({ answer: [null, null] });
  expect(table.rows.get(keyName(a))?.revision).not.toBe(before);
  expect(table.value(a)).toBe(0);
});
