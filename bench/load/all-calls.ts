// Makes a workload by its name.

import type { Calls, Contents } from "./calls.ts";
import { Counters } from "./counters.ts";
import { Entries } from "./entries.ts";
import { type Distribution, Keys, type Share } from "./keys.ts";
import { Locks } from "./locks.ts";
import { isHot, Workload, type WorkloadName } from "./workload.ts";

export interface CallOptions extends Contents {
  workload: WorkloadName;
  distribution: Distribution;
  /** In place of the workload's own share. */
  reads?: number;
  keys: number;
  share: Share;
}

export function callsOf({ workload, distribution, reads, keys: all, share, ...contents }: CallOptions): Calls {
  const keys = new Keys(distribution, all, share, isHot(workload));
  if (workload === "counters") return new Counters(keys, contents);
  if (workload === "locks") return new Locks(keys, contents);
  return new Entries(new Workload(workload, keys, reads), contents);
}
