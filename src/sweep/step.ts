// Reclaiming, one bounded step at a time: deletes the rows of expired entries. Readers do not depend on it, because to
// them an entry is gone at its millisecond.
//
// A step reads expired keys from the index without any lock, then deletes them by primary key, in the order of their
// keys, and only those that are still expired. A DELETE by the expiry itself would lock index entries before rows, where
// every upsert locks rows before index entries: a cycle.

import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";

export interface SweepBudget {
  /** Rows that are looked at. */
  rows: number;
  /** Time that its two statements may take together. */
  ms: number;
}

export interface SweepStep {
  /** Expired rows found. */
  seen: number;
  /** Rows deleted: fewer, where others had changed them meanwhile. */
  deleted: number;
  /** How long ago the first of them expired, and how long after it the last one; 0 where there is none. */
  oldestAgeMs: number;
  spanMs: number;
  /** Where the next step of this pass begins; null when the pass is over because no more expired rows were found. */
  last: ExpiredKey | null;
}

/** One step of a pass over the expired entries. Throws `StoreError`; a step that failed may be made again. */
export async function sweepStep(
  expired: ExpiredRows,
  { rows, ms }: SweepBudget,
  after: ExpiredKey | null = null,
): Promise<SweepStep> {
  const deadline = performance.now() + ms;
  const found = await expired.find(rows, after, deadline);
  const keys = found.map(({ key }) => key);
  const [first, last] = [found[0], found.at(-1)];
  return {
    seen: found.length,
    deleted: keys.length > 0 ? await expired.reclaim(keys, deadline) : 0,
    oldestAgeMs: first?.ageMs ?? 0,
    spanMs: first && last ? last.atMs - first.atMs : 0,
    last: found.length < rows ? null : (last ?? null),
  };
}
