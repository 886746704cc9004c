// The expired rows of a shard, or of a database of one shard; of all shards together it is an approximation.

import type { EntryKey } from "../store/store.ts";
import type { Database, Rows, Written } from "./connect.ts";
import * as statements from "./statements.ts";

/** A row that has expired. */
export interface ExpiredKey {
  key: EntryKey;
  /** When it expired, in epoch milliseconds, and how long ago that is, both by the clock of the shard's primary. */
  atMs: number;
  ageMs: number;
}

/** Deadlines are instants as performance.now() counts. Throws `StoreError`. */
export class ExpiredRows {
  constructor(private readonly database: Database) {}

  /**
   * Those that come first after the given one, at most `limit`, in the order of their expiry and then of their keys;
   * without any lock. Some may have been extended, overwritten or reclaimed by the time the caller sees them.
   *
   * From the index alone, which holds the keys too. Rows already reclaimed stay in it for a while, until they are
   * purged: beginning after the last one found spares going through all of them again and again.
   */
  async find(limit: number, after: ExpiredKey | null, deadline: number): Promise<ExpiredKey[]> {
    const rows = await this.run<Rows>(statements.selectExpired(limit, after), deadline);
    return rows.map((row) => ({ key: row.id, atMs: row.expires_at, ageMs: row.age_ms }));
  }

  /** How many there are, counted no further than `limit`. */
  async count(limit: number, deadline: number): Promise<number> {
    const [row] = await this.run<Rows>(statements.countExpired(limit), deadline);
    return Number(row?.count);
  }

  /**
   * Deletes the rows of those keys that are expired while they are locked, and returns how many these were. They are
   * found by their keys and not by the index on the expiry, and so locked in everyone's order. If the answer is lost
   * nothing is: what is expired may be deleted twice.
   */
  async reclaim(keys: EntryKey[], deadline: number): Promise<number> {
    const statement = statements.removeExpired(keys.toSorted(Buffer.compare));
    return (await this.run<Written>(statement, deadline)).affectedRows;
  }

  private run<T>(statement: statements.Statement, deadline: number): Promise<T> {
    return this.database.execute<T>(statement, deadline - performance.now());
  }
}
