// Everything that the capacity model assumes and no benchmark here has measured, each with its range and its reason.
// What `npm run bench -- footprint reshard` has measured takes the place of what is named the same here.

import { assumed, type Quantity } from "./quantity.ts";

export const ASSUMPTIONS = {
  keyBytes: assumed(40, [20, 80], "B", "namespace, slash and a key of a word and an id; at most 577"),
  contentTypeBytes: assumed(24, [10, 24], "B", "application/octet-stream, the default"),
  diskFill: assumed(0.7, [0.6, 0.8], "", "the rest is for the copy of a resharding, and growth meanwhile"),
  poolShare: assumed(
    0.02,
    [0.01, 0.05],
    "",
    "of the data in each buffer pool: the inner pages of the indexes, and the working set of a store whose data is mostly cold",
  ),
  binlogHours: assumed(24, [6, 72], "h", "a replica that is away for a night catches up without a restore"),
  backupsKept: assumed(2, [1, 4], "", "the last full one, and the one before until it is done"),
  backupDays: assumed(7, [1, 14], "d", "between full backups; binary logs are kept in between"),
  cpuFill: assumed(
    0.6,
    [0.5, 0.67],
    "",
    "of the cores in use with all zones up: two thirds of the machines must carry everything when one of three zones is lost",
  ),
  coreSpeed: assumed(1, [0.7, 1.5], "", "a core there against one of the machine that was measured"),
  secondsBetweenCalls: assumed(10, [5, 20], "s", "of one open connection: a person or a device, not a loop"),
  processesPerSlice: assumed(3, [2, 6], "", "servers that take the calls of one slice of shards: one in each zone"),
  readMicrosPerKb: assumed(
    3,
    [1.5, 6],
    "µs/kB",
    "all layers together, beyond the 256 bytes that were measured: five copies, and checksums",
  ),
  writeMicrosPerKb: assumed(
    15,
    [7, 30],
    "µs/kB",
    "the same for writes, which are hex literals on the way and written by three servers to two logs and a table",
  ),
  inPageFill: assumed(
    0.6,
    [0.55, 0.69],
    "",
    "of a page, for rows far larger than those that were measured; ln 2 in theory",
  ),
  hotShare: assumed(0.001, [0.0001, 0.03], "", "of all calls are about one key; 0.03 where popularity is Zipf's"),
  idleTabletCores: assumed(
    0.02,
    [0.01, 0.04],
    "cores",
    "a vttablet and a mysqld that nobody calls, with health checks and heartbeats once a second",
  ),
  connectionKb: assumed(
    12,
    [4, 40],
    "kB",
    "an open HTTP connection in a server and its kernel; 6,000 of them took about 60 MB",
  ),
  gateConnectionKb: assumed(100, [40, 200], "kB", "a MySQL session at vtgate: two goroutines, buffers"),
  healthStreamKb: assumed(60, [30, 120], "kB", "a gRPC connection to a tablet with its stream and its record"),
  healthMicros: assumed(20, [10, 50], "µs", "of vtgate's CPU to take one health message"),
  healthSeconds: assumed(
    1,
    [1, 20],
    "s",
    "between health messages: vitess/topology/topology.ts has 1 s, Vitess's default is 20 s",
  ),
  tabletRecordBytes: assumed(300, [200, 500], "B", "of a tablet in the topology: names, ports, key range"),
  topoSeconds: assumed(
    30,
    [5, 60],
    "s",
    "between a vtgate's readings of all tablets of its cell; vitess/topology/topology.ts has 5 s, Vitess's default is 60 s",
  ),
  topoReadMbps: assumed(200, [100, 400], "MB/s", "that one etcd cluster can serve of it"),
  pollMicros: assumed(500, [250, 1000], "µs", "of vtorc's CPU to look at one MySQL server, once a second"),
  copyMbps: assumed(30, [10, 100], "MB/s", "one shard's copy in a resharding, or a restore from a backup"),
  hostCores: assumed(32, [16, 64], "cores", "a machine that is easily rented and whose loss is bearable"),
  hostMemoryGb: assumed(256, [128, 512], "GB", "such a machine's"),
  hostDiskTb: assumed(30, [15, 60], "TB", "local NVMe in it"),
  hostNetworkGbps: assumed(25, [10, 50], "Gbit/s", "such a machine's"),
  primaryWriteShare: assumed(
    0.45,
    [0.35, 0.6],
    "",
    "the primary's part of what a shard's three tablets compute for a write: the others apply it, and it answers",
  ),
  httpBytes: assumed(
    400,
    [250, 800],
    "B",
    "of a call beside key and value: request line, headers and status of both ways",
  ),
  statementBytes: assumed(
    150,
    [100, 250],
    "B",
    "of a row on a statement's way, beside key and value: its columns, and gRPC",
  ),
  shardRecordBytes: assumed(
    69,
    [69, 138],
    "B",
    "of a shard in the record of those that serve (SrvKeyspace): its name and key range for each of three tablet types, twice while it is resharded",
  ),
  etcdRequestMib: assumed(1.5, [1.5, 1.5], "MiB", "etcd.io 'System limits': the largest request, --max-request-bytes"),
  tabletCores: assumed(8, [4, 16], "cores", "that a shard's primary may use of its machine at most"),
  gateCores: assumed(8, [4, 16], "cores", "of one vtgate"),
  openFiles: assumed(
    20_000,
    [20_000, 1_000_000],
    "",
    "connections of one server; more take a higher limit of open files",
  ),
} satisfies Record<string, Quantity>;

export type Assumption = keyof typeof ASSUMPTIONS;
