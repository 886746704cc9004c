// The server on Bun, over the database that DATABASE_URL names: migrations, then serving in one process or several, until
// a signal comes. `npm start` runs it over a cluster of its own.

import { once } from "node:events";
import pino, { type Logger } from "pino";
import { readTokens } from "./auth/source.ts";
import { certificateFiles, isAnonymous, readConfig, tokenSource } from "./config.ts";
import { type Backend, inspectBackend } from "./database/backend.ts";
import { migrate } from "./database/migrate.ts";
import { packetBytes, requireDatabase } from "./database/session.ts";
import { Exchange, exchange } from "./exchange.ts";
import { readCertificate } from "./listen.ts";
import { requireFreePort } from "./port.ts";
import { Workers } from "./processes.ts";
import { type Ending, type ServerConfig, serve } from "./serve.ts";
import { interruption, outliveReaders } from "./signals.ts";
import { ToldByProcesses } from "./telemetry/processes.ts";

/** Given with a backend to the processes that KV_WORKERS asks for: they only serve. No variable, for those are users'. */
const WORKER_FLAG = "--worker";

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

const [flag, givenBackend] = process.argv.slice(2);
await (flag === WORKER_FLAG ? work(givenBackend as Backend) : main()).catch((error) => {
  if (stop.signal.aborted && error.name === "AbortError") process.exit(130);
  // A message and no stack: what fails here is set-up, and the sentence says what to do.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
process.exit(0);

async function main() {
  const config = readServerConfig();
  if (!isAnonymous(config)) await readTokens(tokenSource(config));
  const certificate = certificateFiles(config);
  if (certificate) await readCertificate(certificate);
  await requireFreePort(config.KV_HOST, config.PORT);
  const log = pino({ level: config.LOG_LEVEL, base: null });
  const backend = await inspectBackend(config.DATABASE_URL);
  const largest = packetBytes({ valueBytes: config.KV_MAX_VALUE_BYTES, rows: config.KV_BATCH_ROWS });
  for (const warning of await requireDatabase(config.DATABASE_URL, backend, { packetBytes: largest })) {
    log.warn(warning);
  }
  log.info("bringing the schema up to date");
  await migrate(config.DATABASE_URL, backend, stop.signal);
  if (config.KV_WORKERS > 1) await serveByWorkers(config, backend, log);
  else await serve(config, backend, log, ending, ({ url }) => log.info({ url }, "serving"));
}

async function serveByWorkers(config: ServerConfig, backend: Backend, log: Logger) {
  // Again, because migrations take their time, and workers would silently share a port with another server's.
  await requireFreePort(config.KV_HOST, config.PORT);
  const workers = new Workers({
    count: config.KV_WORKERS,
    port: config.PORT,
    // Nothing of the configuration, for every user of the machine could read it here, and the URL holds a password.
    command: [process.execPath, import.meta.path, WORKER_FLAG, backend],
    environment: process.env,
    drainMs: config.KV_LEAVE_MS + config.KV_DRAIN_MS,
    exchange: new Exchange(new ToldByProcesses()),
    log,
  });
  try {
    const url = await Promise.race([workers.start(), ending.begun.then(() => undefined)]);
    if (url) log.info({ url, workers: config.KV_WORKERS }, "serving");
    await ending.begun;
  } finally {
    await workers.stop();
  }
}

/** A worker: what is done once its parent has done. */
async function work(backend: Backend) {
  const config = readServerConfig();
  if (!process.connected) throw new Error("Workers are started by KV_WORKERS, not by hand.");
  const log = pino({ level: config.LOG_LEVEL, base: { worker: process.pid } });
  await serve(config, backend, log, ending, (serving) => process.send?.(serving), exchange);
}

function readServerConfig(): ServerConfig {
  const { DATABASE_URL, ...config } = readConfig(process.env);
  if (DATABASE_URL) return { ...config, DATABASE_URL };
  throw new Error("DATABASE_URL: must name a database; 'npm start' starts a cluster and serves over that.");
}
