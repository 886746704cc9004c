// What each decision of the design costs: the same load under the other choice, as a difference a month.

import { ASSUMPTIONS } from "./assumptions.ts";
import { type Capacity, capacityOf, type Known } from "./model.ts";
import { MONTH_HOURS, MONTH_SECONDS, SERVICES } from "./prices.ts";
import type { Design, Target } from "./target.ts";

export interface Decision {
  chosen: string;
  instead: string;
  /** By how much the other choice is dearer (or cheaper, below 0). */
  dollars: (known: Known) => number;
  /** What money does not say. */
  remark: string;
}

/** Whose requests values that are not inline need for each call. */
const { s3 } = SERVICES;
const { compressionRatio } = ASSUMPTIONS;
/** innodb_segment_reserve_factor: as vitess/topology/topology.ts has it, with which the fill of pages was measured, and MySQL's. */
const EMPTY_SHARE = { chosen: 0.01, byDefault: 0.125 };

export function decisionsOf(target: Target, design: Design): Decision[] {
  const other = (change: Partial<Design>, extra: (capacity: Capacity, known: Known) => number = () => 0) => {
    return (known: Known) => {
      const changed = capacityOf(target, { ...design, ...change }, known);
      return changed.dollars.total + extra(changed, known) - capacityOf(target, design, known).dollars.total;
    };
  };
  const shard = (bytes: number) => `${bytes / 1e9} GB`;
  return [
    {
      chosen: `${design.replicas} tablets a shard`,
      instead: "2 tablets",
      dollars: other({ replicas: 2 }),
      remark: "the loss of one stops a shard's writes, for semi-sync has nobody left to wait for",
    },
    {
      chosen: `${design.replicas} tablets a shard`,
      instead: "5 tablets",
      dollars: other({ replicas: 5 }),
      remark: "two may be lost; reads may go to more replicas",
    },
    {
      chosen: "values as they are",
      instead: `compressed by MySQL, at a ratio of ${compressionRatio.value}`,
      dollars: other({ compression: compressionRatio.value }, ({ traffic }, known) =>
        compressionDollars(target, design, traffic, known),
      ),
      remark: "values that are compressed or encrypted already do not shrink; a hole-punching file system is needed",
    },
    {
      chosen: `shards of ${shard(design.shardBytes)}`,
      instead: shard(design.shardBytes / 2),
      dollars: other({ shardBytes: design.shardBytes / 2 }),
      remark: "half the time to copy or restore one; twice the tablets to watch",
    },
    {
      chosen: `shards of ${shard(design.shardBytes)}`,
      instead: shard(design.shardBytes * 4),
      dollars: other({ shardBytes: design.shardBytes * 4 }),
      remark: "four times the time to copy or restore one",
    },
    {
      chosen: "segments of which 1% is kept empty",
      instead: "12.5%, MySQL's default",
      dollars: (known) => {
        const fuller = (1 - EMPTY_SHARE.byDefault) / (1 - EMPTY_SHARE.chosen);
        const emptier = { ...known, fill: known.fill * fuller, inPageFill: known.inPageFill * fuller };
        return capacityOf(target, design, emptier).dollars.total - capacityOf(target, design, known).dollars.total;
      },
      remark: "rows in order would lie together, for scans; there are none",
    },
    {
      chosen: "an index on the expiry",
      instead: "none",
      dollars: other({ expiryIndex: false }),
      remark: "the sweep would read whole tables: no row could be reclaimed within a minute",
    },
    {
      chosen: "values in their rows",
      instead: "values as objects, rows that name them",
      dollars: other({ valuesInline: false }, ({ traffic }) => {
        const { readsPerSecond: reads, writesPerSecond: writes } = traffic;
        return (reads * s3.reads.dollars + writes * s3.writes.dollars) * (MONTH_SECONDS / 1e6);
      }),
      remark: "each call makes a second one, of tens of milliseconds, and two truths have to agree",
    },
    {
      chosen: design.routing === "slices" ? "a slice of servers for a slice of shards" : "any server for any shard",
      instead: design.routing === "slices" ? "any server for any shard" : "a slice of servers for a slice of shards",
      dollars: other({ routing: design.routing === "slices" ? "any" : "slices" }),
      remark:
        "with any server for any shard hardly two calls meet in a statement, and each vtgate watches every tablet",
    },
  ];
}

function compressionDollars(target: Target, design: Design, traffic: Capacity["traffic"], known: Known): number {
  const seconds =
    target.valueBytes *
    ((traffic.writesPerSecond * design.replicas) / (known.compressMbps * 1e6) +
      traffic.readsPerSecond / (known.expandMbps * 1e6));
  return (seconds / known.cpuFill / known.coreSpeed) * MONTH_HOURS * known.vcpuHour;
}
