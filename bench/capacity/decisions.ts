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
    but: "servers spend CPU on each value; compressed or encrypted ones do not shrink",
  },
  {
    chosen: "tables rebuilt when a fifth of the rows is new",
    instead: "pages as random keys leave them",
    change: { pages: "grown" },
    but: "each rebuild needs room for a copy, one tablet after the other",
  },
  {
    chosen: "3 tablets a shard",
    instead: "2 tablets",
    change: { replicas: 2 },
    but: "the loss of one stops a shard's writes",
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
    but: "hardly two calls then meet in a statement, and each vtgate watches every tablet",
  },
];
