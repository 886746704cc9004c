// Writes that are connected by transactions of several keys: they happen together, or none of them does.
//
// The rows of all their keys are read by one statement and the writes decided one after the other. If anything changes, each
// of the rows gets a new revision, those that are only read as well: so what was read is true when it is committed. All
// guards hold, or the statement is undone as a whole and the writes are decided again. A row that is not there can't be
// guarded, so one without an entry is made first, as a deleted entry leaves it.

import type { Change, StoredRow } from "../database/statements.ts";
import type { Known, Table } from "../database/table.ts";
import { VALUE_BYTES_CEILING } from "../limits.ts";
import { type Answer, decide, isLive, leaving, type Row } from "../store/decide.ts";
import { StoreError } from "../store/error.ts";
import { type EntryKey, keyName } from "../store/store.ts";
import { newRevision, newVersion, type Revision } from "../store/version.ts";
import {
  attempt,
  rowOf,
  SEVERAL_SHARDS,
  settle,
  settleAll,
  type Transact,
  undone,
  type WriteCall,
} from "./attempts.ts";
import { type Batch, DONE, isUnknown, type Rest } from "./batch.ts";

/** Whether the shard that a batch is for has a key. */
export type IsOfShard = (key: EntryKey) => boolean;

/** Writes and their keys. */
export interface Connected {
  calls: WriteCall[];
  keys: Map<string, EntryKey>;
}

/** What an absent entry's row holds. */
const NOTHING = { value: Buffer.alloc(0), contentType: "", metadata: null };

/** Parts writes that are only about their key from those that transactions connect, and settles what can't be done here. */
export function partition(
  batch: Batch<WriteCall>,
  isOfShard: IsOfShard,
): { separate: WriteCall[][]; connected: Connected[] } {
  const sets = new Map<string, Connected>();
  for (const calls of batch.values()) {
    for (const { write, call } of calls) {
      if (write.kind !== "transact") continue;
      // Shards may have been split since it was called: what another has would be taken for absent here.
      if (!write.keys.every(isOfShard)) {
        if (call.mayHappen) call.reject(new StoreError("outcome_unknown", "its keys are in several shards by now"));
        call.resolve(SEVERAL_SHARDS);
        continue;
      }
      const joined: Connected = { calls: [], keys: new Map(write.keys.map((key) => [keyName(key), key])) };
      for (const other of new Set(write.keys.map((key) => sets.get(keyName(key))))) {
        for (const [id, key] of other?.keys ?? []) joined.keys.set(id, key);
      }
      for (const id of joined.keys.keys()) sets.set(id, joined);
    }
  }
  const separate: WriteCall[][] = [];
  for (const [id, calls] of batch) {
    const set = sets.get(id);
    if (set) set.calls.push(...calls);
    else separate.push(calls);
  }
  return { separate, connected: [...new Set(sets.values())] };
}

/** Settles the writes, or returns them. Throws an error that is true for all that it leaves unsettled. */
export async function applyTogether(
  table: Table,
  { calls, keys }: Connected,
  deadline: number,
): Promise<Rest<WriteCall>> {
  const { known, isTorn } = await readAll(table, [...keys.values()], deadline);
  const pending = calls.filter(
    (waiting) => !waiting.call.isOver && !settle(waiting, known.rows.get(waiting.id)?.revision),
  );
  if (pending.length === 0) return DONE;
  const rows = new Rows(keys, known);
  const answers = pending.map(({ id, write }) => rows.apply(id, write));
  const inDoubt = pending.some(({ guardInDoubt }) => guardInDoubt !== undefined);
  if (!rows.areChanged && !isTorn && !inDoubt) {
    for (const [i, { call }] of pending.entries()) call.resolve(answers[i]);
    return DONE;
  }
  const absent = rows.absent();
  if (absent.length > 0) return { again: pending, failed: !(await isMade(table, absent, deadline)) };
  const changes = rows.changes();
  const revisions = new Map(changes.map(({ key, revision }) => [keyName(key), revision]));
  for (const [i, waiting] of pending.entries()) attempt(waiting, revisions.get(waiting.id) as Revision, answers[i]);
  try {
    if (await table.changeTogether(changes, deadline)) return { again: settleAll(pending, revisions), failed: false };
    pending.forEach(undone);
    return { again: pending, failed: false };
  } catch (error) {
    if (!isUnknown(error)) {
      pending.forEach(undone);
      throw error;
    }
    for (const waiting of pending) waiting.guardInDoubt = known.rows.get(waiting.id)?.revision;
    return { again: pending, failed: true };
  }
}

/** Makes rows without entries. Where it is not known whether they were made, or another was first, reading tells. */
async function isMade(table: Table, rows: Change[], deadline: number): Promise<boolean> {
  try {
    await table.change(rows, deadline);
    return true;
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return false;
  }
}

/** Whole values. Where not all of them fit one answer they are read one by one, and torn from one instant. */
async function readAll(table: Table, keys: EntryKey[], deadline: number): Promise<{ known: Known; isTorn: boolean }> {
  const known = await table.known(keys, VALUE_BYTES_CEILING, deadline);
  for (const key of keys) {
    if (!known.large.has(keyName(key))) continue;
    const name = keyName(key);
    const row = (await table.known([key], VALUE_BYTES_CEILING, deadline)).rows.get(name);
    if (row) known.rows.set(name, row);
    else known.rows.delete(name);
  }
  return { known, isTorn: known.large.size > 0 };
}

/** The rows of some keys, as they are and as they become. */
class Rows {
  private readonly before = new Map<string, Row | null>();
  private readonly after = new Map<string, Row | null>();

  constructor(
    private readonly keys: Map<string, EntryKey>,
    private readonly known: Known,
  ) {
    for (const id of keys.keys()) {
      const stored = known.rows.get(id);
      const row = stored ? rowOf(stored) : null;
      this.before.set(id, row);
      // What has expired is gone for good as soon as anybody was told so.
      this.after.set(id, row && isLive(row, known.clockMs) ? row : null);
    }
  }

  /** Decides a write, and returns its answer. */
  apply(id: string, write: WriteCall["write"]): Answer {
    if (write.kind === "transact") return this.transact(write);
    const { row, answer } = decide(this.after.get(id) ?? null, write, this.known.clockMs);
    this.after.set(id, row);
    return answer;
  }

  get areChanged(): boolean {
    return [...this.keys.keys()].some((id) => this.isChanged(id));
  }

  /** Rows without entries for the keys that have no row. */
  absent(): Change[] {
    const without = [...this.keys].filter(([id]) => !this.known.rows.has(id));
    const row = { guard: null, expiresAtMs: this.known.clockMs, content: NOTHING };
    return without.map(([, key]) => ({ ...row, key, revision: newRevision(null) }));
  }

  /** Where no key is without a row. */
  changes(): Change[] {
    return Array.from(this.keys, ([id, key]) => this.changeOf(key, id, this.known.rows.get(id) as StoredRow));
  }

  private transact({ transaction, keys }: Transact): Answer {
    const { clockMs } = this.known;
    const found = keys.map((key) => {
      const row = this.after.get(keyName(key)) ?? null;
      return row && isLive(row, clockMs) ? row : null;
    });
    const { entries, answer } = transaction.apply(found, clockMs);
    for (const [i, key] of keys.entries()) {
      this.after.set(keyName(key), leaving(found[i] ?? null, entries[i] ?? null, newVersion()));
    }
    return answer;
  }

  private isChanged(id: string): boolean {
    return this.after.get(id) !== this.before.get(id);
  }

  private changeOf(key: EntryKey, id: string, stored: StoredRow): Change {
    const [before, after] = [this.before.get(id) ?? null, this.after.get(id) ?? null];
    const { clockMs } = this.known;
    const guard = { ...stored, lives: before !== null && isLive(before, clockMs) };
    const expiresAtMs = after ? after.expiresAtMs : Math.min(stored.expiresAtMs ?? clockMs, clockMs);
    const content = after?.content === before?.content ? undefined : after?.content;
    return { key, guard, revision: newRevision(after ? after.version : null), expiresAtMs, content };
  }
}
