// The cluster, described once: every process, port, flag and memory size. The local launcher starts
// what this file says, and compose.yaml and TOPOLOGY.md are rendered from it.

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
/** Of each mysqld, where the machine's size is not known. */
const BUFFER_POOL_MB = 512;
/** Of the machine's memory, all buffer pools together; the least and the most of each. */
const BUFFER_POOLS_SHARE = 0.4;
const BUFFER_POOL_BOUNDS_MB = { least: 128, most: 4096 };
/** One may die, or be restarted, while the other serves. */
const VTGATES = 2;
/** Most of one shard: its share of uids and ports. */
const TABLETS_PER_SHARD = 9;
/** InnoDB enlarges a pool by this much at a time. */
const BUFFER_POOL_CHUNK_MB = 128;
/** Most of it: after a crash it is read again from beginning to end. */
const REDO_LOG_MB = 1024;
/** mysqld outside its buffer pool, and each Vitess server, as resident memory under load. */
const MYSQLD_OVERHEAD_MB = 250;
const SERVER_MB = 256;
/** The least memory of a tablet: its two processes, and the smallest buffer pool. */
export const TABLET_MB = MYSQLD_OVERHEAD_MB + SERVER_MB + BUFFER_POOL_BOUNDS_MB.least;

export type Program = "etcd" | "mysqlctl" | "mysqld" | "vtctld" | "vtctldclient" | "vtgate" | "vtorc" | "vttablet";

/** What distinguishes one cluster from another; kept in its data folder, so that a second start finds the same cluster. */
export interface Settings {
  portBase: number;
  tablets: TabletSettings[];
  /** While it is being resharded: the shards that take over. Their tablets are among the tablets already. */
  resharding?: string[];
  /** Tablets that are to be stopped and deleted: of shards that were resharded, or removed. */
  retired?: TabletSettings[];
  /** A tablet that gets its data still; no shard counts on it. */
  adding?: TabletSettings;
  /** While it is being made from a backup: until that is finished it holds nothing of worth. */
  restoring?: true;
}

export interface TabletSettings {
  /** Unique in the cell; also its server id and the name of its folder, and what its ports follow from. */
  uid: number;
  shard: string;
  /** It has served: without its data it is lost, and not new. */
  served?: true;
}

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

/** Key ranges of `count` equal shards (a power of two, up to 256), as Vitess names them: `-80`, `80-`. */
export function shardNames(count: number): string[] {
  if (!Number.isInteger(Math.log2(count)) || count > 256) {
    throw new RangeError(`shards must be a power of two from 1 to 256, not ${count}`);
  }
  const bound = (i: number) =>
    i === 0 || i === count
      ? ""
      : Math.round((i * 256) / count)
          .toString(16)
          .padStart(2, "0");
  return Array.from({ length: count }, (_, i) => `${bound(i)}-${bound(i + 1)}`);
}

/** Settings of a new cluster: tablets 100, 101, … for the first shard, 200, 201, … for the second. */
export function newSettings(shards: number, tabletsPerShard: number, portBase: number): Settings {
  if (!Number.isInteger(tabletsPerShard) || tabletsPerShard < 1 || tabletsPerShard > TABLETS_PER_SHARD) {
    throw new RangeError(`tablets must be 1 to ${TABLETS_PER_SHARD} a shard, not ${tabletsPerShard}`);
  }
  const tablets = newTablets(shardNames(shards), tabletsPerShard, []);
  if (!Number.isInteger(portBase) || portBase < 1024) throw outOfPorts(portBase);
  return withinPorts({ portBase, tablets });
}

/** The settings with tablets for more shards, as many for each as the largest of its shards has. */
export function withShards(settings: Settings, shards: string[]): Settings {
  const { tablets, retired = [] } = settings;
  const perShard = Math.max(
    ...Object.values(Object.groupBy(tablets, ({ shard }) => shard)).map((each) => each?.length ?? 0),
  );
  const added = newTablets(shards, perShard, [...tablets, ...retired]);
  return withinPorts({ ...settings, tablets: [...tablets, ...added] });
}

/** The settings with one more tablet for a shard, not yet among those that it counts on. */
export function withTablet(settings: Settings, shard: string): Settings & { adding: TabletSettings } {
  const { tablets, retired = [] } = settings;
  const ours = tablets.filter((tablet) => tablet.shard === shard);
  const first = 100 * Math.floor((ours[0]?.uid ?? 0) / 100);
  const taken = [...tablets, ...retired].map(({ uid }) => uid);
  const free = Array.from({ length: TABLETS_PER_SHARD }, (_, i) => first + i).find((uid) => !taken.includes(uid));
  if (free === undefined) throw new RangeError(`a shard has at most ${TABLETS_PER_SHARD} tablets`);
  return { ...settings, adding: { uid: free, shard } };
}

/** The settings of a cluster whose tablets have all served, so that one without its data is lost, and not new. */
export function withServed(settings: Settings): Settings {
  return { ...settings, tablets: settings.tablets.map((tablet) => ({ ...tablet, served: true })) };
}

/** Each shard takes the lowest hundred of uids in which there is no tablet. */
function newTablets(shards: string[], perShard: number, others: TabletSettings[]): TabletSettings[] {
  const taken = new Set(others.map(({ uid }) => Math.floor(uid / 100)));
  return shards.flatMap((shard) => {
    let hundred = 1;
    while (taken.has(hundred)) hundred += 1;
    taken.add(hundred);
    return Array.from({ length: perShard }, (_, i) => ({ uid: 100 * hundred + i, shard }));
  });
}

/**
 * A tablet's three ports. Ports 0 to 49 above the base are the servers'; from there on each hundred of uids has its
 * share, whichever tablets there are, so that a tablet keeps its ports when others come and go.
 */
function tabletPorts(portBase: number, uid: number): [http: number, grpc: number, mysql: number] {
  const first = portBase + 50 + 3 * ((Math.floor(uid / 100) - 1) * TABLETS_PER_SHARD + (uid % 100));
  return [first, first + 1, first + 2];
}

function withinPorts(settings: Settings): Settings {
  const { portBase, tablets } = settings;
  if (tablets.some(({ uid }) => tabletPorts(portBase, uid)[2] > 65535)) throw outOfPorts(portBase);
  return settings;
}

function outOfPorts(portBase: number) {
  return new RangeError(`port base must leave room between 1024 and 65535, not ${portBase}`);
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
      mysqlMemoryMb: BUFFER_POOL_MB + MYSQLD_OVERHEAD_MB,
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
          "--unhealthy-threshold=60s",
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

/** The buffer pool of each of so many mysqlds on a machine with so much memory. */
export function bufferPoolMb(machineMb: number, mysqlds: number): number {
  const { least, most } = BUFFER_POOL_BOUNDS_MB;
  const each = Math.min(most, (machineMb * BUFFER_POOLS_SHARE) / mysqlds);
  return Math.max(least, BUFFER_POOL_CHUNK_MB * Math.floor(each / BUFFER_POOL_CHUNK_MB));
}

/** Lines of my.cnf, beyond those that mysqlctl writes itself, for every mysqld. */
export function mysqlSettings(bind: string, poolMb = BUFFER_POOL_MB): string[] {
  return [
    `bind-address=${bind}`,
    "sync_binlog=1",
    "innodb_flush_log_at_trx_commit=1",
    // A replica acknowledges what is in its relay log: that too must be on disk by then.
    "sync_relay_log=1",
    // And it must be applied after a restart, for its primary may be gone: mysqlctl's own setting would throw it away.
    "relay_log_recovery=OFF",
    // From a primary that has gone silent, stopped or cut off, no connection is ever refused: another is elected when all
    // replicas have waited for this long. It must be more than a busy machine's pauses.
    "replica_net_timeout=4",
    // That sync comes after every event, not every transaction: the rows of a batch should be one event, not fifty.
    "binlog_row_event_max_size=1048576",
    // Copies a server that runs: for backups and new tablets.
    "plugin-load-add=mysql_clone.so",
    // It would hold the keys and values of whatever was slow.
    "slow_query_log=OFF",
    // Rows are logged without the values that they had: what expires is deleted without being sent to the replicas.
    "binlog_row_image=NOBLOB",
    // No gap locks: two writers of different keys never wait for each other.
    "transaction-isolation=READ-COMMITTED",
    // Statements read the clock with SYSDATE(), whose conversion to epoch time is exact in UTC only.
    "default-time-zone=+00:00",
    ...Object.entries(memorySettings(poolMb)).map(([name, mb]) => `${name}=${mb}M`),
    // A statement that waits longer gives up what it has locked, and is sent again. For a moment after a split one that is
    // refused may hold rows in two shards: nobody else would end two that wait for each other there.
    "innodb_lock_wait_timeout=3",
    // Of each eight pages InnoDB keeps one empty, so that rows in order lie together for scans. Here there are none.
    "innodb_segment_reserve_factor=1",
    "max_connections=1000",
  ];
}

/** The settings, in MB, that follow the machine's memory; InnoDB can change them while it runs. */
export function memorySettings(poolMb: number) {
  return {
    innodb_buffer_pool_size: poolMb,
    // Changed pages are written when there is time, not whenever the default's 100 MB are full.
    innodb_redo_log_capacity: Math.min(poolMb, REDO_LOG_MB),
  };
}

/** The user that vtgate accepts, in the form of its `--mysql-auth-server-static-file`. */
export function vtgateUsers(password: string): string {
  return JSON.stringify({ [SQL_USER]: [{ Password: password, UserData: SQL_USER }] });
}
