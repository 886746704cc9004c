// What a cluster is doing, as its vtgates and the process table tell it.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import { SHOW_SHARDS, servingShards } from "../../src/database/backend.ts";
import { COUNTED_ROWS, type SweepStatus } from "../../src/sweep/status.ts";
import { ClusterProblem } from "../support/problem.ts";
import { KEYSPACE, LOOPBACK, SQL_USER, type Tablet, type Vtgate } from "../topology/topology.ts";
import { hasDiverged } from "./diverged.ts";
import type { Cluster } from "./folder.ts";
import { withoutDeadPrimaries } from "./primaries.ts";

export interface ClusterStatus {
  dataDir: string;
  vtgates: [VtgateStatus, ...VtgateStatus[]];
  /**
   * For DATABASE_URL: the URLs of all vtgates, whether they run or not, with commas between them. A client uses
   * whichever answers.
   */
  url: string;
  /** Address of its gRPC server, for `vtctldclient --server`. */
  vtctld: { address: string; pid: number | null };
  vtorc: { pid: number | null };
  etcd: { address: string; pid: number | null };
  /** Those that serve. */
  shards: string[];
  /** While it is being resharded, the shards that take over; else null. */
  resharding: string[] | null;
  /** A tablet that is being added, by number, and its shard; else null. */
  adding: { uid: number; shard: string } | null;
  /** Of all shards. */
  tablets: TabletStatus[];
}

interface VtgateStatus {
  name: string;
  host: string;
  port: number;
  socket: string;
  user: string;
  password: string;
  database: string;
  /** The same as one URL. */
  url: string;
  pid: number | null;
  /** Whether it answers, within seconds. */
  answers: boolean;
}

export interface TabletStatus {
  alias: string;
  shard: string;
  /**
   * As all vtgates see it that answer; "unknown" while there is none, or one does not know the tablet or knows better, and
   * of a primary that does not run, once there is another.
   */
  role: "primary" | "replica" | "unknown";
  serving: boolean;
  /** Whether it holds what its primary does not, see `diverged.ts`; false where that is not known. */
  diverged: boolean;
  /** Seconds behind the primary; null where that is not known, and for a primary. */
  lagSeconds: number | null;
  mysqlSocket: string;
  mysqlPort: number;
  /** Of vttablet's own pages, such as /debug/vars. */
  httpPort: number;
  pids: { mysqld: number | null; vttablet: number | null };
}

export async function readStatus(cluster: Cluster): Promise<ClusterStatus> {
  const { dataDir, settings, topology, processes } = cluster;
  const vtgates = await askVtgates(cluster);
  const { shards, seen } = agreement(vtgates.flatMap(({ view }) => view ?? []));
  const pid = (name: string) => processes.pid(name) ?? null;
  const diverged = await divergedTablets(topology.tablets, seen);
  return {
    dataDir,
    vtgates: vtgates.map(({ view, access, vtgate }) => ({
      name: vtgate.name,
      ...access,
      socket: vtgate.mysqlSocket,
      url: urlOf(access),
      pid: pid(vtgate.name),
      answers: view !== undefined,
    })) as ClusterStatus["vtgates"],
    url: vtgates.map(({ access }) => urlOf(access)).join(),
    vtctld: { address: `${LOOPBACK}:${topology.vtctld.ports.grpc}`, pid: pid("vtctld") },
    vtorc: { pid: pid("vtorc") },
    etcd: { address: `${LOOPBACK}:${topology.etcd.ports.http}`, pid: pid("etcd") },
    // While it is being resharded only Vitess knows when it has switched.
    shards: (settings.resharding && shards) ?? topology.shards,
    resharding: settings.resharding ?? null,
    adding: settings.adding ?? null,
    tablets: withoutDeadPrimaries(
      topology.tablets.map((tablet) => ({
        alias: tablet.alias,
        shard: tablet.shard,
        ...(seen.get(tablet.alias) ?? { role: "unknown", serving: false, lagSeconds: null }),
        diverged: diverged.includes(tablet),
        mysqlSocket: tablet.mysqlSocket,
        mysqlPort: tablet.mysqlPort,
        httpPort: tablet.vttablet.ports.http as number,
        pids: { mysqld: pid(tablet.mysqld), vttablet: pid(tablet.vttablet.name) },
      })),
    ),
  };
}

/** Those that differ from the only primary that serves their shard, as far as vtgates know. */
async function divergedTablets(tablets: Tablet[], seen: Map<string, Seen>): Promise<Tablet[]> {
  // vtgate goes on to list one that is dead as a primary.
  const isPrimary = ({ alias }: Tablet) => seen.get(alias)?.role === "primary" && seen.get(alias)?.serving;
  const compared = tablets.map(async (tablet) => {
    const [primary, another] = tablets.filter((each) => each.shard === tablet.shard && isPrimary(each));
    const one = primary && !another && primary !== tablet;
    return one && (await hasDiverged(tablet, primary)) ? [tablet] : [];
  });
  return (await Promise.all(compared)).flat();
}

/** Aliases of the tablets that any vtgate knows, of whatever shards. Fails when none can be asked. */
export async function knownTablets(cluster: Cluster): Promise<string[]> {
  const views = (await askVtgates(cluster)).flatMap(({ view }) => view ?? []);
  if (views.length === 0) throw new ClusterProblem("No vtgate answers. See 'status'.");
  return views.flatMap(({ seen }) => [...seen.keys()]);
}

type Seen = Pick<TabletStatus, "role" | "serving" | "lagSeconds">;

/** The shards that serve and the tablets by alias, as one vtgate sees them. */
interface View {
  shards: string[];
  seen: Map<string, Seen>;
}

type Access = ReturnType<typeof accessTo>;

function accessTo({ password }: Cluster, vtgate: Vtgate) {
  return { host: LOOPBACK, port: vtgate.ports.mysql as number, user: SQL_USER, password, database: KEYSPACE };
}

function urlOf({ host, port, user, password, database }: Access): string {
  return `mysql://${user}:${password}@${host}:${port}/${database}`;
}

/** Every vtgate with what it sees; without, where it does not answer. */
function askVtgates(cluster: Cluster): Promise<{ vtgate: Vtgate; access: Access; view?: View }[]> {
  return Promise.all(
    cluster.topology.vtgates.map(async (vtgate) => {
      const access = accessTo(cluster, vtgate);
      return { vtgate, access, view: await askVtgate(access).catch(() => undefined) };
    }),
  );
}

/** What all of them see alike, for a client may use any: so a tablet serves when they all think so. */
function agreement(views: View[]): { shards?: string[]; seen: Map<string, Seen> } {
  const [first, ...others] = views;
  if (!first) return { seen: new Map() };
  const seen = [...first.seen].filter(([alias, { role }]) =>
    others.every((each) => each.seen.get(alias)?.role === role),
  );
  return {
    shards: first.shards.filter((shard) => others.every(({ shards }) => shards.includes(shard))),
    seen: new Map(
      seen.map(([alias, ours]) => [alias, others.reduce((all, { seen }) => worse(all, seen.get(alias)), ours)]),
    ),
  };
}

function worse(one: Seen, other: Seen = one): Seen {
  const lags = [one.lagSeconds, other.lagSeconds].filter((lag) => lag !== null);
  return {
    role: one.role,
    serving: one.serving && other.serving,
    lagSeconds: lags.length < 2 ? null : Math.max(...lags),
  };
}

async function askVtgate(access: Access): Promise<View> {
  const connection = await createConnection({ ...access, connectTimeout: 2000 });
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

/** Fails with a sentence when there is no such shard. */
export function requireShard(shards: string[], shard: string) {
  if (!shards.includes(shard)) {
    throw new ClusterProblem(`There is no shard '${shard}'. The shards are ${shards.join(" and ")}.`);
  }
}

/** True when it serves, and replicates unless it is the primary. */
export function isHealthy({ role, serving, diverged, lagSeconds }: TabletStatus): boolean {
  return serving && !diverged && (role === "primary" || lagSeconds !== null);
}

/** True when every shard that serves has one primary, and a replica that gives each commit its second disk. */
export function isServing(status: ClusterStatus): boolean {
  return status.shards.length > 0 && status.shards.every((shard) => isReady(status, shard));
}

/** The same of one shard, which need not serve. */
export function isReady({ tablets }: ClusterStatus, shard: string): boolean {
  const ours = tablets.filter((tablet) => tablet.shard === shard);
  const healthy = ours.filter(isHealthy);
  // One that was cut off goes on in the belief that it is another.
  const primaries = healthy.filter((tablet) => tablet.role === "primary");
  return primaries.length === 1 && healthy.length >= Math.min(2, ours.length);
}

/** True when besides nothing is missing: no tablet of a shard that serves, and none of the servers. */
export function isWhole(status: ClusterStatus): boolean {
  const { vtgates, vtctld, vtorc, etcd, shards, tablets } = status;
  return (
    isServing(status) &&
    tablets.every((tablet) => isHealthy(tablet) || !shards.includes(tablet.shard)) &&
    vtgates.every(({ answers }) => answers) &&
    [vtctld, vtorc, etcd].every(({ pid }) => pid !== null)
  );
}

/** The status as a person reads it. */
export function renderStatus(status: ClusterStatus, sweeps = new Map<string, SweepStatus | null>()): string {
  const rows = status.tablets.map((tablet) => [
    tablet.shard,
    tablet.alias,
    tablet.role,
    tablet.diverged ? "diverged" : tablet.serving ? "serving" : "not serving",
    tablet.lagSeconds === null ? "" : `${tablet.lagSeconds} s`,
    `${tablet.pids.mysqld ?? "stopped"}`,
    `${tablet.pids.vttablet ?? "stopped"}`,
  ]);
  const tablets = columns([["SHARD", "TABLET", "ROLE", "STATE", "LAG", "MYSQLD", "VTTABLET"], ...rows]);
  const { vtctld, vtorc, etcd } = status;
  const vtgates = status.vtgates.map(({ name, pid, answers }) => [name, answers || !pid ? pid : `${pid} (silent)`]);
  const servers = [...vtgates, ["vtctld", vtctld.pid], ["vtorc", vtorc.pid], ["etcd", etcd.pid]]
    .map(([name, state]) => `${name} ${state ?? "stopped"}`)
    .join(", ");
  const resharding = status.resharding
    ? [`Being resharded, to ${status.resharding.join(", ")}: 'reshard ${status.resharding.length}' goes on with it`]
    : [];
  const { adding } = status;
  const growing = adding
    ? [`Tablet ${adding.uid} is being added to shard ${adding.shard}: 'add-tablet ${adding.shard}' goes on with it`]
    : [];
  return [
    ...tablets,
    "",
    ...renderSweeps(sweeps),
    ...resharding,
    ...growing,
    `Processes: ${servers}`,
    `Data: ${status.dataDir}`,
    `SQL: ${status.url}`,
  ].join("\n");
}

function renderSweeps(sweeps: Map<string, SweepStatus | null>): string[] {
  if (sweeps.size === 0) return [];
  const rows = [...sweeps].map(([shard, sweep]) => {
    if (!sweep) return [shard, "does not answer"];
    const { holder, oldestAgeMs, backlogRows } = sweep;
    const age = `${(oldestAgeMs / 1000).toFixed(1)} s`;
    const backlog = backlogRows < COUNTED_ROWS ? `${backlogRows}` : `${COUNTED_ROWS} or more`;
    return [shard, holder || "nobody", age, backlog];
  });
  return [...columns([["SHARD", "SWEPT BY", "OLDEST EXPIRED", "BACKLOG"], ...rows]), ""];
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
