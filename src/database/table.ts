// The table of entries, in one shard or wherever vtgate's plan leads: runs its statements and reads their answers. Errors
// are `StoreError`s, and nothing is tried again here.

import { setTimeout as sleep } from "node:timers/promises";
import { BATCH_READ_BYTES } from "../limits.ts";
import { StoreError } from "../store/error.ts";
import { type Entry, type EntryInfo, type EntryKey, keyName } from "../store/store.ts";
import { type Revision, type Version, versionOf } from "../store/version.ts";
import type { Database, Rows, Written } from "./connect.ts";
import type { Fence } from "./fence.ts";
import { type Dictionaries, describe, dictionariesOf, NO_DICTIONARIES, pack, type Stored, unpack } from "./packed.ts";
import type { Change, Put, Range, Statement, StoredRow } from "./statements.ts";
import * as statements from "./statements.ts";
import { isCommit, tagsIn } from "./terms.ts";

/**
 * What a read finds, by `keyName`; what is missing is absent. An entry that has expired is not called absent while its
 * row is there, because it could come back: its row may be in the middle of being extended, by a write that judged it in
 * time and has not committed; and the next primary's clock may be behind.
 */
export type Found<T> = Map<string, T | "expired" | "large">;

/** A row of a range: see `Found`; null is an entry that was deleted. */
export interface Scanned {
  key: EntryKey;
  found: EntryInfo | "expired" | null;
}

/** What can be read. */
export interface Reads {
  entries: Entry;
  infos: EntryInfo;
}

/** What writes are decided on. */
export interface Known {
  /** A row whose value did not fit its share of the answer has no content, though it was asked for: fewer keys would do. */
  rows: Map<string, StoredRow>;
  large: Set<string>;
  /** Epoch milliseconds by the clock of the shard's primary. */
  clockMs: number;
}

/** Before each look for what a lost statement has done: it is under way, or cut off with whom it was sent through. */
const LOOK_AGAIN_MS = [0, 50, 200, 500];

const DUPLICATE_KEY = "ER_DUP_ENTRY";
/** What `updateTogether` fails with where a guard does not hold. */
const OUT_OF_RANGE = "ER_DATA_OUT_OF_RANGE";

export class Table {
  constructor(
    /** Leads to a shard. Without one, several rows can only be read, put or deleted. */
    private readonly database: Database,
    /** Leads where vtgate's plan does; the same where there is only one way. */
    private readonly anywhere: Database = database,
    /** What answers must pass, where primaries can be deposed without their knowledge, and replicas cut off. */
    private readonly fence?: Fence,
    /** Without them values are written as they are, and those with a dictionary can't be read. */
    private readonly dictionaries: Dictionaries = NO_DICTIONARIES,
  ) {}

  read<K extends keyof Reads>(kind: K, keys: EntryKey[], deadline: number): Promise<Found<Reads[K]>> {
    const found = kind === "entries" ? this.entries(keys, deadline) : this.infos(keys, deadline);
    return found as Promise<Found<Reads[K]>>;
  }

  /** Values larger than their share of an answer are "large": fewer keys at once would do, and one alone always does. */
  private async entries(keys: EntryKey[], deadline: number): Promise<Found<Entry>> {
    const share = shareOf(keys);
    // One byte more tells a value that was cut off from one that just fits.
    const rows = await this.run<Rows>(statements.selectEntries(keys, share + 1, this.fence?.beat), keys, deadline);
    const dictionaries = await dictionariesOf(rows as Stored[], this.dictionaries);
    return foundIn(rows, (row, version) => {
      const info = infoOf(row, version, row.value.length);
      if (row.value.length > share || info.valueBytes > share) return "large";
      return Object.assign(info, { value: unpack(row as Stored, dictionaries) });
    });
  }

  private async infos(keys: EntryKey[], deadline: number): Promise<Found<EntryInfo>> {
    const rows = await this.run<Rows>(statements.selectInfos(keys, this.fence?.beat), keys, deadline);
    return foundIn(rows, (row, version) => infoOf(row, version, row.value_bytes));
  }

  /**
   * The rows of a range in order, those of entries that are no more among them. Where vtgate leads to several shards,
   * there may be as many of each as the range's limit says.
   */
  async scan(range: Range, deadline: number): Promise<Scanned[]> {
    const rows = await this.run<Rows>(statements.selectRange(range, this.fence?.beat), [], deadline);
    const scanned = withKeys(rows).map((row) => {
      const version = versionOf(hexOf(row.version));
      const info = () => infoOf(row, version as Version, row.value_bytes);
      return { key: row.id as EntryKey, found: version === null ? null : stateOf(row, info) };
    });
    return scanned.toSorted((a, b) => (range.reverse ? Buffer.compare(b.key, a.key) : Buffer.compare(a.key, b.key)));
  }

  /** With `valueBytes` also contents, with at least so much of their values, from the beginning. */
  async known(keys: EntryKey[], valueBytes: number | undefined, deadline: number): Promise<Known> {
    const share = shareOf(keys);
    const statement =
      valueBytes === undefined
        ? statements.selectRows(keys)
        : statements.selectContents(keys, Math.min(valueBytes, share + 1), share + 1);
    const rows = await this.run<Rows>(statement, keys, deadline);
    const clock = rows.pop();
    // There are two clocks then, and each is good for its own rows only.
    if (rows.some(({ id }) => id === null)) throw new StoreError("unavailable", "rows of several shards");
    const dictionaries = await dictionariesOf(rows as Stored[], this.dictionaries);
    const known: Known = { clockMs: Number(clock?.clock), rows: new Map(), large: new Set() };
    for (const row of rows) {
      const name = keyName(row.id);
      const isLarge = row.value !== undefined && bytesIn(row) > share;
      if (isLarge) known.large.add(name);
      // Undefined where it was not asked for, too.
      const value: Buffer | undefined = isLarge ? undefined : row.value && unpack(row as Stored, dictionaries);
      const content = value && { value, metadata: row.metadata, contentType: describe(row.content_type).contentType };
      known.rows.set(name, { revision: hexOf(row.version), expiresAtMs: row.expires_at, content });
    }
    return known;
  }

  /** Writes the rows, whatever is there. */
  async put(puts: Put[], deadline: number): Promise<void> {
    await this.run<Written>(statements.upsert(this.packed(puts)), keysOf(puts), deadline, this.anywhere);
  }

  /** Deletes the rows, whatever is there. */
  async remove(keys: EntryKey[], deadline: number): Promise<void> {
    const deleted = await this.delete(statements.remove, keys, deadline);
    if (!this.fence || this.fence.packets || deleted === keys.length) return;
    // What is not deleted is not there, if the primary of now says so too.
    if ((await this.infos(keys, deadline)).size > 0) throw new StoreError("unavailable", "a row that was not there is");
  }

  /** Deletes those of the rows that have expired, and says whether all of them had. */
  async reclaim(keys: EntryKey[], deadline: number): Promise<boolean> {
    return (await this.delete(statements.removeExpired, keys, deadline)) === keys.length;
  }

  /** How many rows it has deleted. */
  private async delete(make: (keys: EntryKey[]) => Statement, keys: EntryKey[], deadline: number): Promise<number> {
    const sorted = keys.toSorted(Buffer.compare);
    const statement = make(sorted);
    if (!this.fence?.packets) return (await this.run<Written>(statement, sorted, deadline)).affectedRows;
    const [, deleted] = await this.run<[Written, Written]>(statements.inPacket(statement, sorted), sorted, deadline);
    return deleted.affectedRows;
  }

  /**
   * Makes each change whose guard holds, all of them in one transaction, and returns the revisions that the rows have in
   * it, by `keyName`: what has its change's revision was changed. Of a single change whose guard does not hold nothing
   * is returned. All changes are guarded by a revision and all have a content or none has, or all are guarded by null.
   */
  async change(changes: Change[], deadline: number): Promise<Map<string, Revision>> {
    const creates = changes[0]?.guard === null;
    const statement = (creates ? statements.insert : statements.update)(this.packed(changes));
    const database = creates ? this.anywhere : this.database;
    if (statement.commitAt !== undefined) {
      const results = await this.run<[Written, Written, Rows, Written]>(statement, keysOf(changes), deadline, database);
      return revisionsIn(results[2]);
    }
    const [{ key, revision }] = changes as [Change];
    const made = new Map([[keyName(key), revision]]);
    try {
      // The revision is new, so a row that was found is a row that was changed.
      return (await this.run<Written>(statement, [key], deadline, database)).affectedRows > 0 ? made : new Map();
    } catch (error) {
      if (error instanceof StoreError && error.reason.startsWith(DUPLICATE_KEY)) return new Map();
      throw error;
    }
  }

  /**
   * Makes all of the changes, or none where a guard does not hold, and says whether they were made. Each is guarded by a
   * revision.
   */
  async changeTogether(changes: Change[], deadline: number): Promise<boolean> {
    try {
      await this.run(statements.updateTogether(this.packed(changes)), keysOf(changes), deadline);
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.reason.startsWith(OUT_OF_RANGE)) return false;
      throw error;
    }
  }

  /**
   * Looks for what a statement has written whose answer was lost, and returns the revisions of the rows once one of them
   * has its own, which proves that the statement was applied as a whole; null if none has. It is asked with locks, so as
   * to wait for the statement if it is still at work, and not only once, for it may not have begun.
   */
  async lookBack(written: (Put | Change)[], deadline: number): Promise<Map<string, Revision> | null> {
    const sorted = inOrder(written);
    const keys = keysOf(sorted);
    const statement = statements.selectRevisions(keys);
    for (const pauseMs of LOOK_AGAIN_MS) {
      await sleep(pauseMs);
      if (performance.now() >= deadline) break;
      const rows = await this.run<Rows>(statement, keys, deadline, this.anywhere).catch(() => []);
      const found = revisionsIn(rows);
      if (sorted.some(({ key, revision }) => found.get(keyName(key)) === revision)) return found;
    }
    return null;
  }

  async ping(deadline: number): Promise<void> {
    await this.run<Rows>(statements.selectNothing(), [], deadline);
  }

  /** In the order of their keys. */
  private packed<T extends Put | Change>(written: T[]): T[] {
    return inOrder(written).map((each) => {
      const { key, content } = each;
      return content ? { ...each, content: pack(content, this.dictionaries.forValue(key, content)) } : each;
    });
  }

  private async run<T>(statement: Statement, keys: EntryKey[], deadline: number, database = this.database): Promise<T> {
    const sentAtMs = performance.now();
    const answer = await database.execute<T>(statement, deadline - sentAtMs);
    const tags = tagsIn(statement, answer);
    const isCommitted = isCommit(statement, answer);
    // Without either, nothing was changed, and nobody is told anything of it.
    if (this.fence && (tags.length > 0 || isCommitted)) {
      const who = { tags, writes: statement.writes, isCommit: isCommitted };
      const passed = this.fence.pass({ key: keys[0], ...who, sentAtMs, receivedAtMs: performance.now() }, deadline);
      if (passed) await passed;
    }
    return answer;
  }
}

function foundIn<T>(rows: Rows, read: (row: Rows[number], version: Version) => T | "large"): Found<T> {
  const found: Found<T> = new Map();
  for (const row of withKeys(rows)) {
    const version = versionOf(hexOf(row.version));
    // One that was deleted is gone by every clock.
    if (version === null) continue;
    found.set(
      keyName(row.id),
      stateOf(row, () => read(row, version)),
    );
  }
  return found;
}

function stateOf<T>(row: Rows[number], read: () => T): T | "expired" {
  return row.ttl_ms !== null && row.ttl_ms <= 0 ? "expired" : read();
}

function infoOf(row: Rows[number], version: Version, storedBytes: number): EntryInfo {
  const { contentType, valueBytes = storedBytes } = describe(row.content_type);
  return {
    version,
    contentType,
    metadata: row.metadata,
    valueBytes,
    expiry: row.expires_at === null ? null : { atMs: row.expires_at, ttlMs: row.ttl_ms },
  };
}

/** Of a row's value, as it is and as it was read: the larger one. */
function bytesIn({ content_type, value }: Rows[number]): number {
  return Math.max(value.length, describe(content_type).valueBytes ?? 0);
}

/** Of what a statement may return, each key's. */
function shareOf(keys: EntryKey[]): number {
  return Math.floor(BATCH_READ_BYTES / keys.length);
}

function revisionsIn(rows: Rows): Map<string, Revision> {
  return new Map(withKeys(rows).map((row) => [keyName(row.id), hexOf(row.version)]));
}

/** Without those that have a tag. */
function withKeys(rows: Rows): Rows {
  return rows.filter(({ id }) => id !== null);
}

function keysOf(rows: { key: EntryKey }[]): EntryKey[] {
  return rows.map(({ key }) => key);
}

function inOrder<T extends { key: EntryKey }>(rows: T[]): T[] {
  return rows.toSorted((a, b) => Buffer.compare(a.key, b.key));
}

function hexOf(bytes: Buffer): Revision {
  return bytes.toString("hex");
}
