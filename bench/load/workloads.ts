// All workloads by their names, and the calls of each.

import type { Calls, Contents } from "./calls.ts";
import { Counters } from "./counters.ts";
import { Entries } from "./entries.ts";
import { Increments } from "./increments.ts";
import { type Distribution, Keys } from "./keys.ts";
import { KIND_NAMES, KindCalls, type KindName } from "./kinds.ts";
import { Locks } from "./locks.ts";
import { isHot, MIX_NAMES, type MixName, Workload } from "./workload.ts";

/** Mixes of calls, and those whose calls depend on the answers before. */
export const WORKLOADS = [...MIX_NAMES, ...(["counters", "increments", "limiter", "locks"] as const)];
/** Each kind of call by itself, and all of them. */
export const KINDS: KindName[] = [...KIND_NAMES, "all-kinds"];

/** Those that need a first value of each key. */
const COUNTING: WorkloadName[] = ["counters", "increments", "limiter"];

export type WorkloadName = (typeof WORKLOADS)[number] | KindName;

export interface CallOptions extends Contents {
  workload: WorkloadName;
  distribution: Distribution;
  keys: number;
}

export function callsOf({ workload, distribution, keys: all, ...contents }: CallOptions): Calls {
  const keys = new Keys(distribution, isMix(workload) && isHot(workload) ? 1 : all);
  if (isMix(workload)) return new Entries(new Workload(workload, keys), contents);
  if (workload === "counters") return new Counters(keys, contents);
  if (workload === "increments" || workload === "limiter") return new Increments(keys, contents, workload);
  if (workload === "locks") return new Locks(keys, contents);
  return new KindCalls(workload, keys, contents);
}

/** Whether its keys have to be written first, because its calls make no sense without. */
export function needsFill(workload: WorkloadName): boolean {
  return COUNTING.includes(workload) || (KINDS.includes(workload as KindName) && !isMix(workload));
}

function isMix(workload: WorkloadName): workload is MixName {
  return MIX_NAMES.includes(workload as MixName);
}
