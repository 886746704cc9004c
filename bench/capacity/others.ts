// The same load under other decisions of the design, on others' services, and on another kind of store.

import { type Capacity, capacityOf, type Known } from "./model.ts";
import { LOG_STRUCTURED, MONTH_HOURS, MONTH_SECONDS, SERVICES } from "./prices.ts";
import type { Design, Target } from "./target.ts";

export interface Decision {
  chosen: string;
  instead: string;
  /** By how much the other choice is dearer a month (or cheaper, below 0). */
  dollars: (known: Known) => number;
  /** What money does not say. */
  remark: string;
}

export function decisionsOf(target: Target, design: Design): Decision[] {
  const than = (change: Partial<Design>, extra: (capacity: Capacity) => number = () => 0) => {
    return (known: Known) => {
      const changed = capacityOf(target, { ...design, ...change }, known);
      return changed.dollars.total + extra(changed) - capacityOf(target, design, known).dollars.total;
    };
  };
  const tablets = `${design.replicas} tablets a shard`;
  const size = (factor: number) => `shards of ${(factor * design.shardBytes) / 1e9} GB`;
  const requests = ({ traffic: { readsPerSecond: reads, writesPerSecond: writes } }: Capacity) =>
    (reads * SERVICES.s3.reads.dollars + writes * SERVICES.s3.writes.dollars) * (MONTH_SECONDS / 1e6);
  return [
    {
      ...{ chosen: tablets, instead: "2 tablets", dollars: than({ replicas: 2 }) },
      remark: "the loss of one stops a shard's writes, because semi-sync has nobody left to wait for",
    },
    {
      ...{ chosen: tablets, instead: "5 tablets", dollars: than({ replicas: 5 }) },
      remark: "two may be lost; reads may go to more replicas",
    },
    {
      ...{ chosen: size(1), instead: size(0.5), dollars: than({ shardBytes: design.shardBytes / 2 }) },
      remark: "half the time to copy or restore one; twice the tablets to watch",
    },
    {
      ...{ chosen: size(1), instead: size(4), dollars: than({ shardBytes: design.shardBytes * 4 }) },
      remark: "four times the time to copy or restore one",
    },
    {
      ...{
        chosen: "values as they are",
        instead: "values at half their size on disk",
        dollars: than({ compression: 2 }),
      },
      remark: "without the CPU of compressing; what is compressed or encrypted already does not shrink",
    },
    {
      ...{ chosen: "an index on the expiry", instead: "none", dollars: than({ expiryIndex: false }) },
      remark: "the sweep would read whole tables: no row could be reclaimed within a minute",
    },
    {
      ...{ chosen: "values in their rows", instead: "values as objects, rows that name them" },
      dollars: than({ valuesInline: false }, requests),
      remark: "each call makes a second one, of tens of milliseconds, and two truths have to agree",
    },
    {
      ...{ chosen: "a slice of servers for a slice of shards", instead: "any server for any shard" },
      dollars: than({ routing: "any" }),
      remark: "hardly two calls would meet in a statement, and each vtgate would watch every tablet",
    },
  ];
}

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
