// What a cluster is doing, as vtgate and the process table tell it.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import { SHOW_SHARDS, servingShards } from "../src/store/backend.ts";
import { COUNTED_ROWS, type SweepStatus } from "../src/store/sweep-report.ts";
import type { Cluster } from "./folder.ts";
import { KEYSPACE, LOOPBACK, SQL_USER } from "./topology.ts";

export interface ClusterStatus {
  dataDir: string;
  vtgate: {
    host: string;
    port: number;
    socket: string;
    user: string;
    password: string;
    database: string;
    pid: number | null;
  };
  /** The same as one URL, for DATABASE_URL. */
  url: string;
  /** Address of its gRPC server, for `vtctldclient --server`. */
  vtctld: { address: string; pid: number | null };
  vtorc: { pid: number | null };
  etcd: { address: string; pid: number | null };
  /** Those that serve. */
  shards: string[];
  /** While it is being resharded, the shards that take over; else null. */
  resharding: string[] | null;
  /** Of all shards. */
  tablets: TabletStatus[];
}

interface TabletStatus {
  alias: string;
  shard: string;
  /** As vtgate sees it; "unknown" while vtgate can't be asked or does not know the tablet. */
  role: "primary" | "replica" | "unknown";
  serving: boolean;
  /** Seconds behind the primary; null where that is not known, and for a primary. */
  lagSeconds: number | null;
  mysqlSocket: string;
  mysqlPort: number;
  /** Of vttablet's own pages, such as /debug/vars. */
  httpPort: number;
  pids: { mysqld: number | null; vttablet: number | null };
}

export async function readStatus(cluster: Cluster): Promise<ClusterStatus> {
  const { dataDir, password, settings, topology, processes } = cluster;
  const vtgate = vtgateAccess(cluster);
  const { shards, seen } = await askVtgate(vtgate).catch(() => ({ shards: undefined, seen: new Map<string, Seen>() }));
  const pid = (name: string) => processes.pid(name) ?? null;
  return {
    dataDir,
    vtgate: { ...vtgate, socket: `${dataDir}/vtgate.sock`, pid: pid("vtgate") },
    url: `mysql://${SQL_USER}:${password}@${LOOPBACK}:${vtgate.port}/${KEYSPACE}`,
    vtctld: { address: `${LOOPBACK}:${topology.vtctld.ports.grpc}`, pid: pid("vtctld") },
    vtorc: { pid: pid("vtorc") },
    etcd: { address: `${LOOPBACK}:${topology.etcd.ports.http}`, pid: pid("etcd") },
    // While it is being resharded only Vitess knows when it has switched.
    shards: (settings.resharding && shards) ?? topology.shards,
    resharding: settings.resharding ?? null,
    tablets: topology.tablets.map((tablet) => ({
      alias: tablet.alias,
      shard: tablet.shard,
      ...(seen.get(tablet.alias) ?? { role: "unknown", serving: false, lagSeconds: null }),
      mysqlSocket: tablet.mysqlSocket,
      mysqlPort: tablet.mysqlPort,
      httpPort: tablet.vttablet.ports.http as number,
      pids: { mysqld: pid(tablet.mysqld), vttablet: pid(tablet.vttablet.name) },
    })),
  };
}

/** Aliases of the tablets that vtgate knows, of whatever shards. Fails when it can't be asked. */
export async function knownTablets(cluster: Cluster): Promise<string[]> {
  return [...(await askVtgate(vtgateAccess(cluster))).seen.keys()];
}

function vtgateAccess({ password, topology }: Cluster) {
  const port = topology.vtgate.ports.mysql as number;
  return { host: LOOPBACK, port, user: SQL_USER, password, database: KEYSPACE };
}

type Seen = Pick<TabletStatus, "role" | "serving" | "lagSeconds">;

async function askVtgate(
  vtgate: ReturnType<typeof vtgateAccess>,
): Promise<{ shards: string[]; seen: Map<string, Seen> }> {
  const connection = await createConnection({ ...vtgate, connectTimeout: 2000 });
  try {
    const query = (sql: string) => connection.query<RowDataPacket[]>({ sql, timeout: 3000 });
    const [shards] = await query(SHOW_SHARDS);
    const [tablets] = await query("SHOW VITESS_TABLETS");
    const [replicas] = await query("SHOW VITESS_REPLICATION_STATUS");
    // The lag is no number while replication does not run.
    const lags = new Map(
      replicas.map((row) => [row.Alias, /^\d+$/.test(row.ReplicationLag) ? Number(row.ReplicationLag) : null]),
    );
    const seen = tablets.map((row): [string, Seen] => {
      const role = row.TabletType === "PRIMARY" ? "primary" : "replica";
      const lag = lags.get(row.Alias);
      const lagSeconds = role === "replica" ? (lag ?? null) : null;
      return [row.Alias, { role, serving: row.State === "SERVING", lagSeconds }];
    });
    return { shards: servingShards(shards, KEYSPACE), seen: new Map(seen) };
  } finally {
    connection.destroy();
  }
}

/** True when it serves, and replicates unless it is the primary. */
export function isHealthy({ role, serving, lagSeconds }: TabletStatus): boolean {
  return serving && (role === "primary" || lagSeconds !== null);
}

/** True when every shard that serves has a primary, and a replica that gives each commit its second disk. */
export function isServing(status: ClusterStatus): boolean {
  return status.shards.every((shard) => isReady(status, shard));
}

/** The same of one shard, which need not serve. */
export function isReady({ tablets }: ClusterStatus, shard: string): boolean {
  const ours = tablets.filter((tablet) => tablet.shard === shard);
  const healthy = ours.filter(isHealthy);
  return healthy.some((tablet) => tablet.role === "primary") && healthy.length >= Math.min(2, ours.length);
}

/** True when besides no tablet of a shard that serves is missing. */
export function isWhole(status: ClusterStatus): boolean {
  return (
    isServing(status) && status.tablets.every((tablet) => isHealthy(tablet) || !status.shards.includes(tablet.shard))
  );
}

/** The status as a person reads it. */
export function renderStatus(status: ClusterStatus, sweeps = new Map<string, SweepStatus | null>()): string {
  const rows = status.tablets.map((tablet) => [
    tablet.shard,
    tablet.alias,
    tablet.role,
    tablet.serving ? "serving" : "not serving",
    tablet.lagSeconds === null ? "" : `${tablet.lagSeconds} s`,
    `${tablet.pids.mysqld ?? "stopped"}`,
    `${tablet.pids.vttablet ?? "stopped"}`,
  ]);
  const tablets = columns([["SHARD", "TABLET", "ROLE", "STATE", "LAG", "MYSQLD", "VTTABLET"], ...rows]);
  const servers = (["vtgate", "vtctld", "vtorc", "etcd"] as const)
    .map((name) => `${name} ${status[name].pid ?? "stopped"}`)
    .join(", ");
  const resharding = status.resharding
    ? [`Being resharded, to ${status.resharding.join(", ")}: 'reshard ${status.resharding.length}' goes on with it`]
    : [];
  return [
    ...tablets,
    "",
    ...renderSweeps(sweeps),
    ...resharding,
    `Processes: ${servers}`,
    `Data: ${status.dataDir}`,
    `SQL: ${status.url}`,
  ].join("\n");
}

function renderSweeps(sweeps: Map<string, SweepStatus | null>): string[] {
  if (sweeps.size === 0) return [];
  const rows = [...sweeps].map(([shard, sweep]) => {
    if (!sweep) return [shard, "does not answer"];
    const { holder, reclaimedRows, oldestAgeMs, backlogRows, stepMs } = sweep;
    const age = `${(oldestAgeMs / 1000).toFixed(1)} s`;
    const backlog = backlogRows < COUNTED_ROWS ? `${backlogRows}` : `${COUNTED_ROWS} or more`;
    return [shard, holder || "nobody", `${reclaimedRows}`, age, backlog, `${stepMs} ms`];
  });
  return [...columns([["SHARD", "SWEPT BY", "RECLAIMED", "OLDEST EXPIRED", "BACKLOG", "STEP"], ...rows]), ""];
}

/** Lines of a table whose cells stand below each other. */
function columns(table: string[][]): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
