// The environment, validated once. Every variable is in the README's table.

import { z } from "zod";
import { VALUE_BYTES_CEILING } from "./limits.ts";
import { isUrlList } from "./store/url.ts";

const whole = (least: number, most: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(least).max(most));
const count = (fallback: number, most: number) => whole(1, most).default(fallback);

const schema = z.object({
  PORT: whole(0, 65_535).default(8787),
  KV_HOST: z.string().min(1).default("127.0.0.1"),
  KV_WORKERS: count(1, 64),
  DATABASE_URL: z
    .string()
    .refine(isUrlList, "must be mysql:// URLs, separated by commas, which differ in host and port only")
    .optional(),
  KV_DATA_DIR: z.string().min(1).optional(),
  // Read where programs are looked for, which the cluster's command line does too.
  KV_CACHE_DIR: z.string().min(1).optional(),
  KV_MAX_VALUE_BYTES: count(1024 * 1024, VALUE_BYTES_CEILING),
  // A server cuts off connections that are silent for longer than both together; Bun allows 255 s.
  KV_DEADLINE_MS: count(10_000, 120_000),
  KV_CONNECTIONS: count(32, 10_000),
  KV_COALESCE: z.enum(["true", "false"]).default("true"),
  KV_STATEMENTS: count(1, 1000),
  KV_BATCH_ROWS: count(500, 5_000),
  KV_QUEUE_CALLS: count(20_000, 10_000_000),
  KV_QUEUE_BYTES: count(256 * 1024 * 1024, 64 * 1024 ** 3),
  KV_BODY_MS: count(30_000, 120_000),
  KV_SWEEP: z.enum(["true", "false"]).default("true"),
  KV_TTL_JITTER: z
    .string()
    .regex(/^(0|0?\.\d{1,6})$/, "must be from 0 to less than 1")
    .transform(Number)
    .default(0),
  KV_DRAIN_MS: count(30_000, 600_000),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** The names of all variables, for the README's table. */
export const VARIABLES = Object.keys(schema.shape);

export type Config = z.infer<typeof schema>;

/** Throws an Error whose message names every wrong variable, but no value: DATABASE_URL holds a password. */
export function readConfig(environment: Record<string, unknown>, platform: string = process.platform): Config {
  const { success, data, error } = schema.safeParse(environment);
  if (!success) throw new Error(error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  // Elsewhere processes may share a port, but one of them gets all connections.
  if (data.KV_WORKERS > 1 && platform !== "linux") {
    throw new Error("KV_WORKERS: must be 1 here; only Linux spreads connections over processes that share a port");
  }
  return data;
}
