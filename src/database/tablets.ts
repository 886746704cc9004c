// The tablets of a keyspace as vtgate sees them, for monitors.

import type { Database, Rows } from "./connect.ts";

const TIMEOUT_MS = 3_000;

export interface Tablet {
  alias: string;
  shard: string;
  type: "primary" | "replica";
  serving: boolean;
  /** Whole seconds behind its primary; null of a primary, and where that is not known. */
  lagSeconds: number | null;
  /** When it became the primary, in RFC 3339; null of a replica. */
  primarySince: string | null;
}

/** For the lags vtgate asks each replica, one after the other. Throws `StoreError`. */
export async function readTablets(database: Database, keyspace: string): Promise<Tablet[]> {
  const ask = (name: string, sql: string) =>
    database.execute<Rows>({ name, sql, params: [], writes: false }, TIMEOUT_MS);
  const [tablets, replicas] = await Promise.all([
    ask("tablets", "SHOW VITESS_TABLETS"),
    // Without the others, all is known but the lags.
    ask("replicas", "SHOW VITESS_REPLICATION_STATUS").catch((): Rows => []),
  ]);
  // The lag is no number while replication does not run.
  const lags = new Map(
    replicas.map((row) => [row.Alias, /^\d+$/.test(row.ReplicationLag) ? Number(row.ReplicationLag) : null]),
  );
  return tablets
    .filter((row) => row.Keyspace === keyspace)
    .map((row) => {
      const type = row.TabletType === "PRIMARY" ? "primary" : "replica";
      const lagSeconds = type === "replica" ? (lags.get(row.Alias) ?? null) : null;
      const primarySince = type === "primary" ? row.PrimaryTermStartTime || null : null;
      return { alias: row.Alias, shard: row.Shard, type, serving: row.State === "SERVING", lagSeconds, primarySince };
    });
}
