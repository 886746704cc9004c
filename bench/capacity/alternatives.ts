// The same load elsewhere: services by their price lists, and other things that one could run by what is assumed of them.

import { SELF_RUN, type SelfRun } from "./assumptions.ts";
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

/** As the others have it. */
const PLAIN_MYSQL_GB_PER_CORE = 8;

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
          PLAIN_MYSQL_GB_PER_CORE,
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
    coresDollars(cores, each.memoryGbPerCore, known) +
    backups * known.objectTbMonth +
    between * MONTH_SECONDS * known.zoneGb
  );
}

function coresDollars(cores: number, memoryGbPerCore: number, known: Known): number {
  return cores * MONTH_HOURS * (known.vcpuHour + memoryGbPerCore * known.memoryGbHour);
}
