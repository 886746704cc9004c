// What is predicted and then measured: loads of which the model has seen nothing, and two that tell it how fast the
// machine is today.

import type { WorkloadName } from "../load/workload.ts";

export interface Configuration {
  shards: number;
  workload: Extract<WorkloadName, "a" | "b" | "c" | "write">;
  connections: number;
  valueBytes: number;
}

/** Of each workload. */
export const READS: Record<Configuration["workload"], number> = { a: 0.5, b: 0.95, c: 1, write: 0 };

const of = (shards: number, workload: Configuration["workload"], connections: number, valueBytes = 256) => ({
  ...{ shards, workload, connections, valueBytes },
});

/** One of reads alone and one of writes alone, which the model may use. */
export const CALIBRATIONS = { read: of(2, "c", 256), write: of(2, "write", 256) } satisfies Record<
  string,
  Configuration
>;

/** In the order in which they need the fewest clusters. */
export const CONFIGURATIONS: Configuration[] = [
  of(2, "b", 16),
  of(2, "c", 64),
  of(2, "c", 1_000),
  of(2, "write", 32),
  of(2, "write", 1_000),
  of(2, "a", 256),
  of(2, "b", 4_000),
  of(2, "b", 15_000),
  of(2, "a", 256, 1_000),
  of(2, "b", 256, 4_000),
  of(1, "b", 64),
  of(1, "a", 1_000),
  of(4, "b", 256),
  of(4, "write", 1_000),
];

export function titleOf({ shards, workload, connections, valueBytes }: Configuration): string {
  const values = valueBytes === 256 ? "" : `, values of ${valueBytes} bytes`;
  return `${shards} shard${shards === 1 ? "" : "s"}, workload ${workload}, ${connections} connections${values}`;
}
