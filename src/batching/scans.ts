// A scan of a range of keys in one shard: a statement of its own.

import type { Range } from "../database/statements.ts";
import type { Scanned, Table } from "../database/table.ts";
import type { EntryKey } from "../store/store.ts";
import { afterFailure, type Batch, DONE, type Rest, type Waiting } from "./batch.ts";

/** Answered null where the shard did not take it. */
export interface ScanCall extends Waiting<Scanned[] | null> {
  range: Range;
}

/**
 * Settles the scan, or returns it. Where shards have been split or merged, vtgate answers from all that have a part of
 * the old one's range: then there are more rows than the limit, or rows that are not the shard's, as `isOfShard` tells.
 */
export async function applyScan(
  table: Table,
  batch: Batch<ScanCall>,
  deadline: number,
  isOfShard: (key: EntryKey) => boolean = () => true,
): Promise<Rest<ScanCall>> {
  const [[scan]] = [...batch.values()] as [[ScanCall]];
  try {
    const rows = await table.scan(scan.range, deadline);
    if (rows.length > scan.range.limit || !rows.every(({ key }) => isOfShard(key))) {
      return { again: [scan], failed: true };
    }
    scan.call.resolve(rows);
    return DONE;
  } catch (error) {
    return afterFailure([scan], error, async () => DONE);
  }
}
