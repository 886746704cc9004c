// Whether a shard's term began with a planned change of primaries, directly after one that was clear: then it is clear too.

import type { TermFacts } from "../database/terms.ts";

/** What whoever clears a term leaves in its shard. */
export interface Mark {
  server: string;
  others: string;
  /** How long leases in it may be. */
  leaseMs: number;
}

const PLANNED = "PlannedReparentShard";

/** Whether it is the term that the mark is of. */
export function isMarked({ server, others }: TermFacts, mark: Mark): boolean {
  return server === mark.server && others === mark.others;
}

/**
 * Whether Vitess has planned the change that the term began with, and the term before was the mark's: it had executed
 * nothing of others, and what was executed by then was of both terms' others, and theirs. Vitess's word is taken for what it
 * has planned; a PlannedReparentShard to a tablet that an emergency reparent has just promoted, and could not finish, would
 * say the same.
 */
export function isPlanned({ server, others, change }: TermFacts, mark: Mark): boolean {
  if (change?.action !== PLANNED) return false;
  const position = change.position.replace(/^MySQL56\//, "");
  return (
    without(position, server) === without(others, server) &&
    without(position, mark.server) === without(mark.others, mark.server)
  );
}

/** What can't be read is no mark: then there is a wait, as there is without one. */
export function readMark(value: Buffer | null): Mark | undefined {
  try {
    const { server, others, leaseMs } = JSON.parse(value?.toString() ?? "{}") as Mark;
    const isMark = typeof server === "string" && typeof others === "string" && leaseMs > 0;
    return isMark ? { server, others, leaseMs } : undefined;
  } catch {
    return undefined;
  }
}

export function writeMark({ server, others }: TermFacts, leaseMs: number): Buffer {
  const mark: Mark = { server, others, leaseMs };
  return Buffer.from(JSON.stringify(mark));
}

/** A GTID set without a server's own part, such as `uuid:1-5:7,other:1`, in one order. */
function without(gtids: string, server: string): string {
  return gtids
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "" && !each.startsWith(`${server}:`))
    .toSorted()
    .join();
}
