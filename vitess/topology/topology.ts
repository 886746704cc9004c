// The cluster's processes, described once: their flags, ports and memory. The local launcher starts what this file says,
// and compose.yaml and TOPOLOGY.md are rendered from it.

import { LEAST_MYSQLD_MB, MYSQLD_MB } from "./mysql.ts";
import { type Settings, type TabletSettings, tabletPorts } from "./settings.ts";

export const VITESS_VERSION = "24.0.0";
const CELL = "zone1";
export const KEYSPACE = "kv";
/** Where Vitess keeps its records in etcd. */
export const GLOBAL_ROOT = "/vitess/global";
export const SQL_USER = "kv";
/** Where everything of a local cluster listens. */
export const LOOPBACK = "127.0.0.1";

/** Largest message between vtgate and vttablet. An 8 MiB value is 16 MiB as a hex literal, plus its row's other columns. */
const GRPC_MESSAGE_BYTES = 64 * 1024 * 1024;
/** One may die, or be restarted, while the other serves. */
const VTGATES = 2;
/** Each Vitess server, as resident memory under load. */
const SERVER_MB = 256;
/** The least memory of a tablet: of its two processes. */
export const TABLET_MB = LEAST_MYSQLD_MB + SERVER_MB;

export type Program = "etcd" | "mysqlctl" | "mysqld" | "vtctld" | "vtctldclient" | "vtgate" | "vtorc" | "vttablet";

/** Where the processes run: all on one machine's loopback, or each in a container of its own. */
export interface Place {
  /** Folder for all data, as the processes see it. */
  dataDir: string;
  /** Address that the processes listen on. */
  bind: string;
  /** Address at which other processes reach the one named. */
  hostOf: (processName: string) => string;
}

export interface Process {
  name: string;
  program: Program;
  args: string[];
  /** Every port that it opens, by purpose. */
  ports: Record<string, number>;
  memoryMb: number;
  /** Answers 200 over HTTP at this path of its `http` port once it runs. */
  readyPath: string;
}

export interface Vtgate extends Process {
  mysqlSocket: string;
}

export interface Tablet {
  uid: number;
  alias: string;
  shard: string;
  /** Name of its mysqld among the processes. */
  mysqld: string;
  /** Folder of its mysqld, made by mysqlctl. */
  dir: string;
  mysqlSocket: string;
  mysqlPort: number;
  mysqlMemoryMb: number;
  /** Arguments of `mysqlctl`, to be followed by `init` or `start`. */
  mysqlctl: string[];
  vttablet: Process;
}

export interface Topology {
  etcd: Process;
  vtctld: Process;
  vtorc: Process;
  /** All alike: each knows the whole cluster, so that a client may use whichever answers. */
  vtgates: Vtgate[];
  tablets: Tablet[];
  retired: Tablet[];
  adding?: Tablet;
  /** Those that serve, unless a resharding has just switched. */
  shards: string[];
  /** Calls of `vtctldclient` that make an empty cluster this one, each with a call that succeeds once it is done. */
  setup: { unless: string[]; call: string[] }[];
}

/** The whole cluster, with every process's arguments. */
export function topology(settings: Settings, place: Place): Topology {
  const { portBase } = settings;
  const { bind, dataDir, hostOf } = place;
  const etcdPort = portBase;
  const etcdPeerPort = portBase + 1;
  const etcdAddress = `${hostOf("etcd")}:${etcdPort}`;
  const topo = [
    "--topo-implementation=etcd2",
    `--topo-global-server-address=${etcdAddress}`,
    `--topo-global-root=${GLOBAL_ROOT}`,
  ];
  const listen = (http: number, grpc?: number) => [
    `--bind-address=${bind}`,
    `--port=${http}`,
    ...(grpc ? [`--grpc-bind-address=${bind}`, `--grpc-port=${grpc}`] : []),
  ];
  const messages = `--grpc-max-message-size=${GRPC_MESSAGE_BYTES}`;
  const backups = ["--backup-storage-implementation=file", `--file-backup-storage-root=${dataDir}/backups`];

  const etcd: Process = {
    name: "etcd",
    program: "etcd",
    args: [
      "--name=etcd",
      `--data-dir=${dataDir}/etcd`,
      `--listen-client-urls=http://${bind}:${etcdPort}`,
      `--advertise-client-urls=http://${etcdAddress}`,
      `--listen-peer-urls=http://${bind}:${etcdPeerPort}`,
      `--initial-advertise-peer-urls=http://${hostOf("etcd")}:${etcdPeerPort}`,
      `--initial-cluster=etcd=http://${hostOf("etcd")}:${etcdPeerPort}`,
      "--log-level=warn",
    ],
    ports: { http: etcdPort, peer: etcdPeerPort },
    memoryMb: SERVER_MB,
    readyPath: "/health",
  };

  const vtctld: Process = {
    name: "vtctld",
    program: "vtctld",
    args: [
      ...topo,
      ...listen(portBase + 2, portBase + 3),
      ...backups,
      `--cell=${CELL}`,
      "--service-map=grpc-vtctl,grpc-vtctld",
    ],
    ports: { http: portBase + 2, grpc: portBase + 3 },
    memoryMb: SERVER_MB,
    readyPath: "/debug/vars",
  };

  const vtorc: Process = {
    name: "vtorc",
    program: "vtorc",
    args: [
      ...topo,
      ...listen(portBase + 4),
      `--cell=${CELL}`,
      // A dead primary is noticed within a second; the defaults are 5 and 15.
      "--instance-poll-time=1s",
      "--recovery-poll-duration=1s",
      "--topo-information-refresh-duration=5s",
      "--enable-primary-disk-stalled-recovery",
      // For an answer of a tablet that is dead or hangs it waits this long, with the shard's lock held: a failover that has
      // become clear meanwhile waits too. The default is 15 seconds.
      "--remote-operation-timeout=3s",
      // A new primary is told to a tablet that is down as well, until it is up again or this is over, and whoever is told of a
      // primary first asks that one, and heeds nobody else meanwhile. So long may the next election be held up, if that primary
      // is lost too. The default is 30 seconds. An election waits as long for what replicas have to apply, and is tried again.
      "--wait-replicas-timeout=5s",
    ],
    ports: { http: portBase + 4 },
    memoryMb: SERVER_MB,
    readyPath: "/debug/vars",
  };

  const vtgate = (number: number): Vtgate => {
    const name = `vtgate-${number}`;
    const http = portBase + 2 + 3 * number;
    const ports = { http, grpc: http + 1, mysql: http + 2 };
    const mysqlSocket = `${dataDir}/${name}.sock`;
    const args = [
      ...topo,
      ...listen(ports.http, ports.grpc),
      messages,
      `--cell=${CELL}`,
      `--cells-to-watch=${CELL}`,
      "--tablet-types-to-wait=PRIMARY",
      // New tablets are found within five seconds instead of a minute.
      "--tablet-refresh-interval=5s",
      // Its gRPC server has no services: it would take queries from whoever asks, without the password below.
      `--mysql-server-bind-address=${bind}`,
      `--mysql-server-port=${ports.mysql}`,
      `--mysql-server-socket-path=${mysqlSocket}`,
      "--mysql-auth-server-impl=static",
      `--mysql-auth-server-static-file=${dataDir}/vtgate-users.json`,
      // vtgate itself repeats a statement whose tablet went away in the middle of it, on the next primary, and by
      // then reports only the last attempt. So a write could happen twice, once of them after a newer one, or be
      // called not executed when it was. The store repeats what surely did not happen, within its own deadline.
      "--retry-count=0",
      // Waiting through a failover begins with a statement's second attempt, so it is idle while there is none.
      "--enable-buffer",
      "--buffer-window=10s",
      "--buffer-max-failover-duration=20s",
      "--buffer-size=10000",
      // While it stops it refuses statements, in words that tell that they were not executed; at the end it closes what
      // is still open, and a statement that comes just then is lost. By then each connection shall have been idle for
      // longer than a server trusts one without asking for a sign of life.
      "--lameduck-period=2s",
    ];
    return { name, program: "vtgate", args, ports, memoryMb: 2 * SERVER_MB, readyPath: "/debug/vars", mysqlSocket };
  };

  const tablet = ({ uid, shard }: TabletSettings): Tablet => {
    const name = `vttablet-${uid}`;
    const alias = `${CELL}-${String(uid).padStart(10, "0")}`;
    const dir = `${dataDir}/vt_${String(uid).padStart(10, "0")}`;
    const [http, grpc, mysqlPort] = tabletPorts(portBase, uid);
    return {
      uid,
      alias,
      shard,
      mysqld: `mysqld-${uid}`,
      dir,
      mysqlSocket: `${dir}/mysql.sock`,
      mysqlPort,
      mysqlMemoryMb: MYSQLD_MB,
      mysqlctl: [`--tablet-uid=${uid}`, `--mysql-port=${mysqlPort}`],
      vttablet: {
        name,
        program: "vttablet",
        args: [
          ...topo,
          ...listen(http, grpc),
          ...backups,
          messages,
          `--tablet-path=${alias}`,
          `--tablet-hostname=${hostOf(name)}`,
          `--init-keyspace=${KEYSPACE}`,
          `--init-shard=${shard}`,
          "--init-tablet-type=replica",
          "--service-map=grpc-queryservice,grpc-tabletmanager,grpc-updatestream",
          "--health-check-interval=1s",
          "--degraded-threshold=5s",
          // A replica that is further behind is not read from. By replication's own lag, and not by --heartbeat-enable: where
          // a primary has lost its replicas, the heartbeat's own write waits for them and nothing ends it, so that the tablet
          // is never demoted.
          "--unhealthy-threshold=10s",
          // A primary that no replica confirms a commit to is replaced within 8 seconds; the default takes half a minute.
          "--semi-sync-monitor-interval=1s",
          // One whose disk hangs is as well: mysqld answers reads and every check, and would hang for ever.
          `--disk-write-dir=${dir}`,
          "--disk-write-interval=1s",
          "--disk-write-timeout=5s",
          // A consolidated read may share the result of a statement that was sent before
          // a write was acknowledged: harmless on replicas, a stale read on a primary.
          "--enable-consolidator=false",
          "--enable-consolidator-replicas=true",
          // Else a statement that fails is logged with its keys and values.
          "--sanitize-log-messages",
          "--queryserver-config-pool-size=64",
          "--queryserver-config-transaction-cap=64",
          "--queryserver-config-query-timeout=20s",
          // An UPDATE or DELETE by itself is one statement to mysqld. Else it is three, a transaction with a limit of rows.
          "--queryserver-config-passthrough-dmls",
          // What a vtgate that died has begun and not committed holds its rows no longer; the default is 30 seconds.
          "--queryserver-config-transaction-timeout=5s",
          // No two-phase commits, for no write is to several shards. With them a primary whose queries were stopped for
          // the switch of a resharding can't be refreshed until that is over: its pool of prepared transactions is
          // closed, which counts as not empty. A switch that was cut off could then be neither finished nor undone.
          "--twopc-abandon-age=0s",
        ],
        ports: { http, grpc },
        memoryMb: SERVER_MB,
        readyPath: "/debug/vars",
      },
    };
  };

  const { tablets, resharding = [], retired = [], adding } = settings;
  return {
    etcd,
    vtctld,
    vtorc,
    vtgates: Array.from({ length: VTGATES }, (_, i) => vtgate(i + 1)),
    tablets: tablets.map(tablet),
    retired: retired.map(tablet),
    adding: adding && tablet(adding),
    shards: [...new Set(tablets.map(({ shard }) => shard))].filter((shard) => !resharding.includes(shard)),
    setup: [
      {
        unless: ["GetCellInfo", CELL],
        call: ["AddCellInfo", `--root=/vitess/${CELL}`, `--server-address=${etcdAddress}`, CELL],
      },
      // A commit is acknowledged once a second machine has it on disk.
      { unless: ["GetKeyspace", KEYSPACE], call: ["CreateKeyspace", "--durability-policy=semi_sync", KEYSPACE] },
    ],
  };
}

/** The user that vtgate accepts, in the form of its `--mysql-auth-server-static-file`. */
export function vtgateUsers(password: string): string {
  return JSON.stringify({ [SQL_USER]: [{ Password: password, UserData: SQL_USER }] });
}
