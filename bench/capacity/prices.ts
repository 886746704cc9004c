// What things cost, in US dollars: one price sheet for what the store runs on, one for the services that it is compared
// with. List prices without discounts, from public pages as far as they could be looked up; the others are assumptions.

import { assumed, type Quantity } from "./quantity.ts";

/** Hours in an average month, and seconds. */
export const MONTH_HOURS = 730;
export const MONTH_SECONDS = MONTH_HOURS * 3600;

export const PRICES = {
  vcpuHour: assumed(
    0.0316,
    [0.02, 0.045],
    "$",
    "Google Cloud's N2 vCPU in us-central1, 0.031611: a default price of OpenCost, which shows what a cluster costs",
  ),
  memoryGbHour: assumed(0.00424, [0.0027, 0.006], "$", "the same, N2 memory, 0.004237"),
  nvmeTbMonth: assumed(
    80,
    [30, 130],
    "$",
    "an assumption, near Google Cloud's local SSD at 0.08 a GB, which could not be confirmed; bought drives are cheaper",
  ),
  objectTbMonth: assumed(
    21,
    [10, 26],
    "$",
    "Amazon S3, 'Amazon S3 pricing', above 500 TB: 0.021 a GB; the first 50 TB 0.023",
  ),
  zoneGb: assumed(
    0.02,
    [0, 0.02],
    "$",
    "a GB between zones: 0.01 each way, 'How AWS Data Transfer Pricing Works' (finopsforge.com), also chengqing.dev",
  ),
} satisfies Record<string, Quantity>;

export type Price = keyof typeof PRICES;

export const SERVICES = {
  dynamo: {
    name: "DynamoDB, on demand",
    source:
      "aws.amazon.com 'Amazon DynamoDB pricing' (0.25 a GB-month); requests by 'Amazon DynamoDB Pricing Explained' (LinkedIn)",
    storageGbMonth: 0.25,
    /** Per million, of a strongly consistent read of up to 4 kB, and of a write of up to 1 kB. */
    reads: { dollars: 0.125, bytes: 4096 },
    writes: { dollars: 0.625, bytes: 1024 },
  },
  dynamoProvisioned: {
    name: "DynamoDB, provisioned, at 70% of its capacity",
    source: "the same; 0.00013 and 0.00065 a unit and hour",
    storageGbMonth: 0.25,
    reads: { dollars: (0.00013 / 3600 / 0.7) * 1e6, bytes: 4096 },
    writes: { dollars: (0.00065 / 3600 / 0.7) * 1e6, bytes: 1024 },
  },
  cloudflare: {
    name: "Cloudflare KV (no read after write, no compare-and-swap)",
    source: "blog.cloudflare.com 'Workers KV - free to try, with increased limits'",
    storageGbMonth: 0.5,
    reads: { dollars: 0.5, bytes: Number.POSITIVE_INFINITY },
    writes: { dollars: 5, bytes: Number.POSITIVE_INFINITY },
  },
  s3: {
    name: "Amazon S3 (tens of milliseconds a call, no TTL to the millisecond)",
    source: "aws.amazon.com 'Amazon S3 pricing'; requests by 'Understanding AWS S3 Pricing' (devnotes.tech)",
    storageGbMonth: 0.021,
    reads: { dollars: 0.4, bytes: Number.POSITIVE_INFINITY },
    writes: { dollars: 5, bytes: Number.POSITIVE_INFINITY },
  },
};

/** A store that one could run in this one's place. Nothing of it was measured here. */
export const LOG_STRUCTURED = {
  name: "ScyllaDB-like: log-structured, three replicas, quorum",
  source:
    "assumed, after docs.scylladb.com 'Maximizing ScyllaDB Performance': 12,500 operations a core, halved for quorums",
  copies: 3,
  /** Bytes on disk for each byte of an entry, and the share of the disk that may be full. */
  amplification: 1.25,
  diskFill: 0.7,
  callsPerCore: 6_000,
  memoryGbPerCore: 8,
};
