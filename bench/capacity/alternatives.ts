// The same load on services, by their price lists, and on another kind of store, by what is assumed of it.

import type { Capacity, Known } from "./model.ts";
import { LOG_STRUCTURED, MONTH_HOURS, MONTH_SECONDS, SERVICES } from "./prices.ts";
import type { Target } from "./target.ts";

export interface Alternative {
  name: string;
  dollars: number;
  source: string;
}

/** Services by their price lists; and a store that one could run in this one's place, by what is assumed of it. */
export function alternativesTo(target: Target, { traffic }: Capacity, known: Known): Alternative[] {
  const { readsPerSecond: reads, writesPerSecond: writes } = traffic;
  const entryBytes = target.valueBytes + known.keyBytes;
  const requests = (perSecond: number, { dollars, bytes }: { dollars: number; bytes: number }) =>
    ((perSecond * MONTH_SECONDS) / 1e6) * Math.max(1, Math.ceil(entryBytes / bytes)) * dollars;
  const services = Object.values(SERVICES).map((each) => ({
    ...{ name: each.name, source: each.source },
    dollars:
      (target.dataBytes / 1e9) * each.storageGbMonth + requests(reads, each.reads) + requests(writes, each.writes),
  }));
  return [...services, { ...LOG_STRUCTURED, dollars: logStructuredDollars(target, reads, writes, known) }];
}

function logStructuredDollars({ dataBytes, valueBytes }: Target, reads: number, writes: number, known: Known) {
  const { copies, amplification, diskFill, callsPerCore, memoryGbPerCore } = LOG_STRUCTURED;
  const disk = (dataBytes * copies * amplification) / diskFill / 1e12;
  const cores = (reads + writes) / callsPerCore / known.cpuFill / known.coreSpeed;
  const backups = (dataBytes * known.backupsKept) / 1e12;
  const gbBetweenZones = ((writes * (copies - 1) + (reads * 2) / 3) * valueBytes) / 1e9;
  return (
    disk * known.nvmeTbMonth +
    cores * MONTH_HOURS * (known.vcpuHour + memoryGbPerCore * known.memoryGbHour) +
    backups * known.objectTbMonth +
    gbBetweenZones * MONTH_SECONDS * known.zoneGb
  );
}
