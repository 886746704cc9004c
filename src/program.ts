// A server as a program: what it checks before it serves, how it ends, and what it says where it can't.

import { once } from "node:events";
import pino, { type Logger } from "pino";
import { readTokens } from "./auth/source.ts";
import { type Config, certificateFiles, isAnonymous, readConfig, tokenSource } from "./config.ts";
import { type Backend, inspectBackend } from "./database/backend.ts";
import { migrate } from "./database/migrate.ts";
import { packetBytes, requireDatabase } from "./database/session.ts";
import { readCertificate } from "./listen.ts";
import { requireFreePort } from "./port.ts";
import type { Ending, ServerConfig } from "./serve.ts";
import { interruption, outliveReaders } from "./signals.ts";

/** Does `work` until it ends or a signal has ended it, and exits. */
export async function runProgram(work: (ending: Ending) => Promise<void>): Promise<never> {
  outliveReaders();
  const stop = interruption();
  const ending: Ending = { signal: stop.signal, begun: once(stop.signal, "abort"), leaves: false };
  // By SIGTERM, whose sender has clients that should notice; whoever presses Ctrl-C does not want to wait.
  process.prependListener("SIGTERM", () => {
    ending.leaves = true;
  });
  // A process does not outlive the one that started it over a channel, even if that was killed.
  process.on("disconnect", () => {
    ending.leaves = true;
    stop.abort();
  });
  await work(ending).catch((error) => {
    if (stop.signal.aborted && error.name === "AbortError") process.exit(130);
    // A message and no stack: what fails here is set-up, and the sentence says what to do.
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
  process.exit(0);
}

export function readServerConfig(): ServerConfig {
  const { DATABASE_URL, ...config } = readConfig(process.env);
  if (config.KV_FORWARD_URL) throw new Error("KV_FORWARD_URL: is for Workers; this server has a database of its own.");
  if (DATABASE_URL) return { ...config, DATABASE_URL };
  throw new Error("DATABASE_URL: must name a database; 'npm start' starts a cluster and serves over that.");
}

/** Throws a sentence where tokens or a certificate can't be used, or the port is taken. */
export async function requireUsable(config: Config) {
  if (!isAnonymous(config)) await readTokens(tokenSource(config));
  const certificate = certificateFiles(config);
  if (certificate) await readCertificate(certificate);
  await requireFreePort(config.KV_HOST, config.PORT);
}

export const openLog = ({ LOG_LEVEL }: Config): Logger => pino({ level: LOG_LEVEL, base: null });

/** Sees that the database is one that the store can be in, brings its schema up to date, and says what it is. */
export async function prepareDatabase(config: ServerConfig, log: Logger, signal: AbortSignal): Promise<Backend> {
  const backend = await inspectBackend(config.DATABASE_URL);
  const largest = packetBytes({ valueBytes: config.KV_MAX_VALUE_BYTES, rows: config.KV_BATCH_ROWS });
  for (const warning of await requireDatabase(config.DATABASE_URL, backend, { packetBytes: largest })) {
    log.warn(warning);
  }
  log.info("bringing the schema up to date");
  await migrate(config.DATABASE_URL, backend, signal);
  return backend;
}
