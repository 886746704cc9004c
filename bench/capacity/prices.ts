// What things cost, in US dollars: list prices without discounts, from public pages as far as they could be looked up; the
// others are assumptions.

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
