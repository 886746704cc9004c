// Which tablets count as primaries. vtgate goes on to list one that has died, beside the one that was elected since.

interface Claim {
  shard: string;
  role: "primary" | "replica" | "unknown";
  /** Null for what does not run. */
  pids: { mysqld: number | null; vttablet: number | null };
}

/** The tablets; the role of a primary that does not run is unknown when its shard has another primary. */
export function withoutDeadPrimaries<T extends Claim>(tablets: T[]): T[] {
  const isPrimary = ({ role }: T) => role === "primary";
  const runs = ({ pids }: T) => pids.mysqld !== null && pids.vttablet !== null;
  return tablets.map((tablet) => {
    const hasRival = tablets.some((other) => other !== tablet && other.shard === tablet.shard && isPrimary(other));
    return isPrimary(tablet) && !runs(tablet) && hasRival ? { ...tablet, role: "unknown" } : tablet;
  });
}
