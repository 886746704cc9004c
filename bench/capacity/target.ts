// What the store is to carry, and the decisions of its design that change what that costs: the options of
// `npm run capacity`, validated.

import { z } from "zod";
import { Problem } from "../cli.ts";

export const MEANINGS = ["in-flight", "connections", "per-second"] as const;
export const ROUTINGS = ["slices", "any"] as const;
export const PACKINGS = ["dictionary", "none"] as const;
export const PAGES = ["rebuilt", "grown"] as const;

export const DEFAULTS = {
  calls: "1e6",
  meaning: "in-flight",
  latency: "50ms",
  data: "5000TB",
  value: "1kB",
  "ttl-share": "0.3",
  reads: "0.9",
  replicas: "3",
  // One is copied, or restored, within hours.
  "shard-size": "250GB",
  routing: "slices",
  packing: "dictionary",
  pages: "rebuilt",
} as const;

export type OptionName = keyof typeof DEFAULTS;

export interface Target {
  /** What `calls` counts: calls that wait for their answers, connections that are open, or calls in a second. */
  meaning: (typeof MEANINGS)[number];
  calls: number;
  /** The median that callers may see, when the calls are in flight. */
  latencySeconds: number;
  /** Keys and values as their callers count them. */
  dataBytes: number;
  valueBytes: number;
  /** Of writes, those with a TTL, which expire some day. */
  ttlShare: number;
  /** Of calls. */
  reads: number;
}

export interface Design {
  replicas: number;
  /** On one tablet's disk. */
  shardBytes: number;
  /** Whether a slice of the servers takes the calls of a slice of the shards, or any server those of any shard. */
  routing: (typeof ROUTINGS)[number];
  /** How servers make values smaller, which are taken for JSON. */
  packing: (typeof PACKINGS)[number];
  /** Whether tables are rebuilt in the order of their keys, or as full as random keys leave them. */
  pages: (typeof PAGES)[number];
}

const UNITS = {
  bytes: { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  seconds: { ms: 1e-3, s: 1 },
};
const NUMBER = /^\d+(\.\d+)?(e\d{1,2})?$/i;

const number = (least: number, most: number) => {
  const range = `must be a number from ${least} to ${most}`;
  return z.string().regex(NUMBER, range).transform(Number).pipe(z.number().min(least, range).max(most, range));
};
/** A number with one of the units after it. */
const measure = (units: Record<string, number>, least: number, most: number, example: string) => {
  const wanted = `must be a number with a unit (${Object.keys(units).join(", ")}), such as ${example}`;
  const split = (text: string) => /^([\d.e+]+) ?([a-z]+)$/i.exec(text) ?? [];
  const isMeasure = (text: string) => NUMBER.test(split(text)[1] ?? "") && Object.hasOwn(units, split(text)[2] ?? "");
  return z
    .string()
    .refine(isMeasure, { error: wanted, abort: true })
    .transform((text) => Number(split(text)[1]) * (units[split(text)[2] ?? ""] ?? Number.NaN))
    .refine((value) => value >= least && value <= most, `is out of range; it ${wanted}`);
};

const schema = z.object({
  calls: number(1, 1e12),
  meaning: z.enum(MEANINGS, `must be one of ${MEANINGS.join(", ")}`),
  latency: measure(UNITS.seconds, 1e-3, 60, DEFAULTS.latency),
  data: measure(UNITS.bytes, 1e6, 1e21, DEFAULTS.data),
  // The largest that the store takes.
  value: measure(UNITS.bytes, 1, 8 * 2 ** 20, DEFAULTS.value),
  "ttl-share": number(0, 1),
  reads: number(0, 1),
  // Of two, the loss of one stops the writes: semi-sync waits for another.
  replicas: z
    .enum(["1", "2", "3", "4", "5", "6", "7", "8", "9"], "must be a whole number from 1 to 9")
    .transform(Number),
  "shard-size": measure(UNITS.bytes, 1e9, 1e14, DEFAULTS["shard-size"]),
  routing: z.enum(ROUTINGS, `must be one of ${ROUTINGS.join(", ")}`),
  packing: z.enum(PACKINGS, `must be one of ${PACKINGS.join(", ")}`),
  pages: z.enum(PAGES, `must be one of ${PAGES.join(", ")}`),
});

/** Throws a Problem that names each wrong option in a sentence. */
export function readTarget(options: Record<OptionName, string>): { target: Target; design: Design } {
  const { success, data, error } = schema.safeParse(options);
  if (!success) {
    throw new Problem(error.issues.map(({ path, message }) => `--${String(path[0])} ${message}.`).join("\n"));
  }
  return {
    target: {
      meaning: data.meaning,
      calls: data.calls,
      latencySeconds: data.latency,
      dataBytes: data.data,
      valueBytes: data.value,
      ttlShare: data["ttl-share"],
      reads: data.reads,
    },
    design: {
      replicas: data.replicas,
      shardBytes: data["shard-size"],
      routing: data.routing,
      packing: data.packing,
      pages: data.pages,
    },
  };
}
