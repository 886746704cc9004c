// The design's decisions, each with what the other choice would cost.

import type { Design } from "./target.ts";

export interface Decision {
  chosen: string;
  instead: string;
  change: Partial<Design>;
  but: string;
}

export const DECISIONS: Decision[] = [
  {
    chosen: "values packed with a dictionary",
    instead: "values as they come",
    change: { packing: "none" },
    but: "servers spend CPU on each value; values that are compressed or encrypted already do not shrink",
  },
  {
    chosen: "3 tablets a shard",
    instead: "2 tablets",
    change: { replicas: 2 },
    but: "the loss of one stops a shard's writes, for semi-sync has nobody left to wait for",
  },
  {
    chosen: "shards of 250 GB",
    instead: "1000 GB",
    change: { shardBytes: 1e12 },
    but: "four times the time to copy or restore one",
  },
  {
    chosen: "a slice of servers for a slice of shards",
    instead: "any server for any shard",
    change: { routing: "any" },
    but: "with any server for any shard hardly two calls meet in a statement, and each vtgate watches every tablet",
  },
];
