// The same load elsewhere: services by their price lists, and other things that one could run by what is assumed of them.

import type { Known } from "./model.ts";
import { MONTH_HOURS, MONTH_SECONDS, SERVICES } from "./prices.ts";
import type { Storage } from "./storage.ts";
import type { Target } from "./target.ts";
import type { Traffic } from "./traffic.ts";

export interface Alternative {
  name: string;
  dollars: number;
  source: string;
}

interface SelfRun {
  name: string;
  copies: number;
  /** Bytes on disk for each byte of an entry, and the share of the disk that may be full. */
  amplification: number;
  diskFill: number;
  /** Calls that a core does in a second, at the utilisation of ours. */
  readsPerCore: number;
  writesPerCore: number;
  source: string;
}

const MEMORY_GB_PER_CORE = 8;

/** Not measured here. */
const SELF_RUN: SelfRun[] = [
  {
    name: "ScyllaDB-like: log-structured, three replicas, quorum",
    ...{ copies: 3, amplification: 1.25, diskFill: 0.7, readsPerCore: 6_000, writesPerCore: 6_000 },
    source:
      "assumed, after docs.scylladb.com 'Maximizing ScyllaDB Performance': 12,500 operations a core, halved for quorums",
  },
  {
    name: "Cassandra-like: the same with half of the disk free and a third of the calls a core",
    ...{ copies: 3, amplification: 1.25, diskFill: 0.5, readsPerCore: 2_000, writesPerCore: 2_000 },
    source: "assumed: size-tiered compaction needs as much room as its largest table",
  },
  {
    name: "FoundationDB-like: ordered, transactional, three replicas",
    ...{ copies: 3, amplification: 1.5, diskFill: 0.7, readsPerCore: 5_000, writesPerCore: 1_500 },
    source: "assumed: transaction logs beside storage servers; a B-tree whose pages are two thirds full",
  },
];

export function alternativesTo(target: Target, storage: Storage, traffic: Traffic, known: Known): Alternative[] {
  const { readsPerSecond: reads, writesPerSecond: writes } = traffic;
  const gigabytes = target.dataBytes / 1e9;
  const entryBytes = target.valueBytes + known.keyBytes;
  const millions = (perSecond: number, unit: number) =>
    (perSecond * MONTH_SECONDS * Math.max(1, Math.ceil(entryBytes / unit))) / 1e6;
  const services = Object.values(SERVICES).map(({ name, source, storageGbMonth, reads: read, writes: write }) => ({
    name,
    source,
    dollars:
      gigabytes * storageGbMonth +
      millions(reads, read.bytes) * read.dollars +
      millions(writes, write.bytes) * write.dollars,
  }));
  return [
    ...services,
    {
      name: "MySQL without replicas or backups (loses what a machine loses)",
      source: "this model's disk of one copy, its cores as they are measured for calls that share no statement",
      dollars:
        (storage.replicaBytes / known.diskFill / 1e12) * known.nvmeTbMonth +
        coresDollars(
          (reads * known.readStatementMysqlMicros + (writes * known.writeStatementMysqlMicros) / 3) /
            1e6 /
            known.cpuFill,
          known,
        ),
    },
    ...SELF_RUN.map((each) => ({
      name: each.name,
      source: each.source,
      dollars: selfRun(each, target, reads, writes, known),
    })),
  ];
}

function selfRun(each: SelfRun, target: Target, reads: number, writes: number, known: Known): number {
  const disk = (target.dataBytes * each.copies * each.amplification) / each.diskFill / 1e12;
  const cores = (reads / each.readsPerCore + writes / each.writesPerCore) / known.cpuFill / known.coreSpeed;
  const backups = (target.dataBytes * known.backupsKept) / 1e12;
  const between = ((writes * (each.copies - 1) + (reads * 2) / 3) * target.valueBytes) / 1e9;
  return (
    disk * known.nvmeTbMonth +
    coresDollars(cores, known) +
    backups * known.objectTbMonth +
    between * MONTH_SECONDS * known.zoneGb
  );
}

function coresDollars(cores: number, known: Known): number {
  return cores * MONTH_HOURS * (known.vcpuHour + MEMORY_GB_PER_CORE * known.memoryGbHour);
}
