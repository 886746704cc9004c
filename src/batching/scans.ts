// A scan of a range of keys in one shard: a statement of its own.

import type { Range } from "../database/statements.ts";
import type { Scanned, Table } from "../database/table.ts";
import { afterFailure, type Batch, DONE, type Rest, type Waiting } from "./batch.ts";

/** Answered null where the shard did not take it. */
export interface ScanCall extends Waiting<Scanned[] | null> {
  range: Range;
}

/** Settles the scan, or returns it. */
export async function applyScan(table: Table, batch: Batch<ScanCall>, deadline: number): Promise<Rest<ScanCall>> {
  const [[scan]] = [...batch.values()] as [[ScanCall]];
  try {
    scan.call.resolve(await table.scan(scan.range, deadline));
    return DONE;
  } catch (error) {
    return afterFailure([scan], error, async () => DONE);
  }
}
