// The environment, validated once. Every variable is in the table of vitess/CONFIGURATION.md.

import { z } from "zod";
import { problemOfUrls, withTlsFiles } from "./database/url.ts";
import { VALUE_BYTES_CEILING } from "./limits.ts";

const whole = (least: number, most: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(least).max(most));
const count = (fallback: number, most: number) => whole(1, most).default(fallback);

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** RFC 6454, section 6.2, or the star for all. */
function isOrigin(text: string): boolean {
  if (text.includes("*")) return text === "*";
  return URL.canParse(text) && new URL(text).origin === text;
}

/** A URL to which a path can be added, with nobody's password. */
function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && !(username || password || search || hash);
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

const schema = z.object({
  PORT: whole(0, 65_535).default(8787),
  KV_HOST: z.string().min(1).default("127.0.0.1"),
  KV_TOKENS: z.string().min(1).optional(),
  KV_TOKENS_FILE: z.string().min(1).optional(),
  KV_TLS_CERT: z.string().min(1).optional(),
  KV_TLS_KEY: z.string().min(1).optional(),
  KV_ALLOW_ANONYMOUS: z.enum(["true", "false"]).default("false"),
  KV_WORKERS: count(1, 64),
  DATABASE_URL: z
    .string()
    .superRefine((list, context) => {
      const message = problemOfUrls(list);
      if (message) context.addIssue({ code: "custom", message });
    })
    .optional(),
  KV_FORWARD_URL: z
    .string()
    .transform((list) => list.split(",").map((url) => url.trim().replace(/\/+$/, "")))
    .refine((urls) => urls.every(isServer), "must be URLs such as https://kv.example, with commas between")
    .optional(),
  KV_DATABASE_CA: z.string().min(1).optional(),
  KV_DATABASE_CERT: z.string().min(1).optional(),
  KV_DATABASE_KEY: z.string().min(1).optional(),
  KV_DATA_DIR: z.string().min(1).optional(),
  // Read where programs are looked for, which the cluster's command line does too.
  KV_CACHE_DIR: z.string().min(1).optional(),
  KV_MAX_VALUE_BYTES: count(1024 * 1024, VALUE_BYTES_CEILING),
  // A connection may be silent for longer than both together; Bun allows 255 s.
  KV_DEADLINE_MS: count(10_000, 120_000),
  KV_READ_LEASE_MS: whole(0, 60_000).default(2_000),
  KV_BODY_MS: count(30_000, 120_000),
  KV_IDLE_MS: count(90_000, 250_000),
  KV_CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(",").map((origin) => origin.trim()))
    .refine(
      (origins) => origins.every(isOrigin),
      "must be * or origins such as https://app.example, with commas between",
    )
    .optional(),
  KV_CONNECTIONS: count(32, 10_000),
  KV_COALESCE: z.enum(["true", "false"]).default("true"),
  KV_STATEMENTS: count(1, 1000),
  KV_BATCH_ROWS: count(500, 5_000),
  KV_QUEUE_CALLS: count(20_000, 10_000_000),
  KV_QUEUE_BYTES: count(256 * 1024 * 1024, 64 * 1024 ** 3),
  KV_COMPRESS: z.enum(["true", "false"]).default("true"),
  KV_SWEEP: z.enum(["true", "false"]).default("true"),
  KV_TTL_JITTER: z
    .string()
    .regex(/^(0|0?\.\d{1,6})$/, "must be from 0 to less than 1")
    .transform(Number)
    .default(0),
  KV_LEAVE_MS: whole(0, 600_000).default(1_000),
  KV_DRAIN_MS: count(30_000, 600_000),
  KV_METRICS: z.enum(["true", "false"]).default("true"),
  KV_SLOW_MS: whole(0, 600_000).default(1_000),
  KV_TRACE_RATIO: z
    .string()
    .regex(/^(0|0?\.\d{1,6}|1)$/, "must be from 0 to 1")
    .transform(Number)
    .default(0),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** The names of all variables, for the table in vitess/CONFIGURATION.md. */
export const VARIABLES = Object.keys(schema.shape);

export type Config = z.infer<typeof schema>;

/** Throws an Error whose message names every wrong variable, but no value: DATABASE_URL holds a password. */
export function readConfig(environment: Record<string, unknown>, platform: string = process.platform): Config {
  // An empty variable is one that is not set: compose files make such.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const { success, data, error } = schema.safeParse(given);
  if (!success) throw new Error(error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  // Elsewhere processes may share a port, but one of them gets all connections.
  if (data.KV_WORKERS > 1 && platform !== "linux") {
    throw new Error("KV_WORKERS: must be 1 here; only Linux spreads connections over processes that share a port");
  }
  if (!data.KV_TLS_CERT !== !data.KV_TLS_KEY) throw new Error("KV_TLS_CERT, KV_TLS_KEY: set both or neither");
  requireTokens(data);
  return withDatabaseTls(data);
}

/** The files of certificates become part of the URL, so that whoever connects by it knows of them. */
function withDatabaseTls(config: Config): Config {
  const { DATABASE_URL, KV_DATABASE_CA: ca, KV_DATABASE_CERT: cert, KV_DATABASE_KEY: key } = config;
  if (!ca && !cert && !key) return config;
  if (!DATABASE_URL) throw new Error("KV_DATABASE_CA, KV_DATABASE_CERT, KV_DATABASE_KEY: are for a DATABASE_URL");
  try {
    return { ...config, DATABASE_URL: withTlsFiles(DATABASE_URL, { ca, cert, key }) };
  } catch (error) {
    throw new Error(`DATABASE_URL: ${(error as Error).message}`);
  }
}

/** The same on Workers, which everyone can reach. */
export function readWorkerConfig(environment: Record<string, unknown>): Config {
  const config = readConfig({ ...environment, KV_HOST: "0.0.0.0" });
  requireForWorker(config);
  return config;
}

/** Throws a sentence where a variable names a file, which a Worker has not, or has calls end before a term is clear. */
export function requireForWorker(config: Config) {
  const { KV_TOKENS_FILE, KV_TLS_CERT, KV_READ_LEASE_MS, KV_DEADLINE_MS, KV_FORWARD_URL } = config;
  if (KV_TOKENS_FILE) throw new Error("KV_TOKENS_FILE: a Worker has no files; set KV_TOKENS");
  if (KV_TLS_CERT) throw new Error("KV_TLS_CERT: a Worker has no files; what runs in front of it encrypts");
  if (KV_READ_LEASE_MS >= KV_DEADLINE_MS && !KV_FORWARD_URL) {
    throw new Error(
      "KV_READ_LEASE_MS: must be less than KV_DEADLINE_MS; a Worker's calls may have to wait for so long",
    );
  }
}

/** Whether everyone is let in, because there are no tokens. */
export function isAnonymous({ KV_TOKENS, KV_TOKENS_FILE }: Config): boolean {
  return KV_TOKENS === undefined && KV_TOKENS_FILE === undefined;
}

/** The server's own certificate; without one it serves in plain text. */
export function certificateFiles({ KV_TLS_CERT: cert, KV_TLS_KEY: key }: Config) {
  return cert && key ? { cert, key } : undefined;
}

/** Where the tokens that are let in are written down. */
export function tokenSource({ KV_TOKENS, KV_TOKENS_FILE }: Config) {
  return { inline: KV_TOKENS, file: KV_TOKENS_FILE };
}

/** Without tokens a server is for its own machine, unless somebody has said otherwise. */
function requireTokens(config: Config) {
  if (config.KV_FORWARD_URL) {
    if (isAnonymous(config)) return;
    throw new Error("KV_TOKENS: are checked where KV_FORWARD_URL leads, and none are needed here");
  }
  const allowed = config.KV_ALLOW_ANONYMOUS === "true";
  if (allowed && !isAnonymous(config)) throw new Error("KV_ALLOW_ANONYMOUS: can't be true while there are tokens");
  if (isAnonymous(config) && !allowed && !isLoopback(config.KV_HOST)) {
    throw new Error(
      "KV_TOKENS: needed where others than this machine can reach the server; 'npm run token' makes one. KV_ALLOW_ANONYMOUS=true lets everyone in.",
    );
  }
}
