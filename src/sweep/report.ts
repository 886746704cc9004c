// What the server that sweeps a shard tells about it: the text in its lease.

import { z } from "zod";

/** A backlog is counted no further: so far it takes a few milliseconds, unless much is still to be purged. */
export const COUNTED_ROWS = 10_000;

const schema = z.object({
  /** The server that sweeps; empty if none does. */
  holder: z.string(),
  /** Rows deleted since it took the shard, at least: of a step whose answer was lost none is counted. */
  reclaimedRows: z.number(),
  /** Whatever expired longer ago than this is reclaimed; null while that is not known. */
  oldestAgeMs: z.number().nullable(),
  /** Expired rows that are left, counted up to COUNTED_ROWS. */
  backlogRows: z.number(),
  /** What the last step took. */
  stepMs: z.number(),
  /** Of the time, for the sweep, while there is a backlog. */
  share: z.number(),
});

export type SweepReport = z.infer<typeof schema>;

/** A report in which the age is told in any case, as it is known or guessed. */
export type SweepStatus = SweepReport & { oldestAgeMs: number };

export function emptyReport(holder: string): SweepReport {
  return { holder, reclaimedRows: 0, oldestAgeMs: null, backlogRows: 0, stepMs: 0, share: 0 };
}

/** Null where it is none that this version can read. */
export function parseReport(note: string): SweepReport | null {
  try {
    return schema.parse(JSON.parse(note));
  } catch {
    return null;
  }
}
