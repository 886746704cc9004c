// The server on Bun: a cluster or DATABASE_URL, migrations, the app in one process or several, and an orderly end.

import { once } from "node:events";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { defaultDataDir, down, up } from "../vitess/run/cluster.ts";
import { requireFreePort } from "../vitess/support/processes.ts";
import { step } from "../vitess/support/progress.ts";
import { createApp } from "./app.ts";
import { followTokens, readTokens, type TokenSource } from "./auth/source.ts";
import { type BatchingStore, batchingStore } from "./batching/batching.ts";
import { directStore } from "./batching/direct.ts";
import { type Config, isAnonymous, readConfig } from "./config.ts";
import { type Backend, inspectBackend } from "./database/backend.ts";
import { connect } from "./database/connect.ts";
import { migrate } from "./database/migrate.ts";
import { type Shards, watchShards } from "./database/shards.ts";
import { Table } from "./database/table.ts";
import { Tables } from "./database/tables.ts";
import { keyspaceOf } from "./database/url.ts";
import { BATCH_BYTES } from "./limits.ts";
import { type Serving, Workers } from "./processes.ts";
import { Sweeper } from "./sweep/sweeper.ts";
import { createMetrics } from "./telemetry/metrics.ts";

/**
 * Beyond what a body and then a call may take, for the answer that says that it took too long: Bun's timers are up to
 * four seconds early. A connection is cut off after that, whether nothing moves on it or less than 16 KiB/s arrive, of a
 * request's head as well.
 */
const IDLE_SLACK_SECONDS = 5;

/** Beyond the drain, for the sweep: leases that it does not give back expire by themselves. */
const SWEEP_END_MS = 500;

/** Whoever asks for a sign of life wants to know now. */
const PING_MS = 2_000;

/** Given with a backend to the processes that KV_WORKERS asks for: they only serve. No variable, for those are users'. */
const WORKER_FLAG = "--worker";

const stop = new AbortController();
const stopped = once(stop.signal, "abort");
/** By SIGTERM, whose sender has clients that should notice; whoever presses Ctrl-C does not want to wait. */
let leaves = false;
process.on("SIGTERM", () => {
  leaves = true;
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

const [flag, givenBackend] = process.argv.slice(2);
await (flag === WORKER_FLAG ? work(givenBackend as Backend) : main()).catch((error) => {
  if (stop.signal.aborted && error.name === "AbortError") process.exit(130);
  // A message and no stack: what fails here is set-up, and the sentence says what to do.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
process.exit(0);

async function main() {
  const config = readConfig(process.env);
  // Before a cluster is started for nothing.
  if (!isAnonymous(config)) await readTokens(tokenSource(config));
  await requireFreePort(config.KV_HOST, config.PORT);
  if (config.DATABASE_URL) {
    await prepareAndServe(config, config.DATABASE_URL);
    return;
  }
  const dataDir = resolve(config.KV_DATA_DIR ?? defaultDataDir());
  const { status, started } = await up({ dataDir }, stop.signal);
  try {
    await prepareAndServe(config, status.url);
  } finally {
    // A cluster that was running before is somebody else's to stop.
    if (started) await down(dataDir);
  }
}

async function prepareAndServe(config: Config, databaseUrl: string) {
  const backend = await step("bring the schema up to date", async () => {
    const found = await inspectBackend(databaseUrl);
    await migrate(databaseUrl, found, stop.signal);
    return found;
  });
  const log = pino({ level: config.LOG_LEVEL, base: null });
  if (config.KV_WORKERS > 1) await serveByWorkers(config, databaseUrl, backend, log);
  else await serve(config, databaseUrl, backend, log, ({ url }) => log.info({ url }, "serving"));
}

async function serveByWorkers(config: Config, databaseUrl: string, backend: Backend, log: Logger) {
  // Again, for starting a cluster takes its time, and workers would silently share a port with another server's.
  await requireFreePort(config.KV_HOST, config.PORT);
  const workers = new Workers({
    count: config.KV_WORKERS,
    port: config.PORT,
    command: [process.execPath, import.meta.path, WORKER_FLAG, backend],
    // Not an argument, which every user of the machine could read: the URL holds a password.
    environment: { ...process.env, DATABASE_URL: databaseUrl },
    drainMs: config.KV_LEAVE_MS + config.KV_DRAIN_MS,
    log,
  });
  try {
    const url = await Promise.race([workers.start(), stopped.then(() => undefined)]);
    if (url) log.info({ url, workers: config.KV_WORKERS }, "serving");
    await stopped;
  } finally {
    await workers.stop();
  }
}

/** A worker: what is done once its parent has done. */
async function work(backend: Backend) {
  const config = readConfig(process.env);
  if (!config.DATABASE_URL || !process.connected) throw new Error("Workers are started by KV_WORKERS, not by hand.");
  // A worker whose parent was killed does not stay behind.
  process.on("disconnect", () => {
    leaves = true;
    stop.abort();
  });
  const log = pino({ level: config.LOG_LEVEL, base: { worker: process.pid } });
  await serve(config, config.DATABASE_URL, backend, log, (serving) => process.send?.(serving));
}

/**
 * Serves and sweeps until a signal comes, then lets clients leave, stops accepting, finishes what is in flight and closes
 * the pool.
 */
async function serve(
  config: Config,
  databaseUrl: string,
  backend: Backend,
  log: Logger,
  onServing: (serving: Serving) => void,
) {
  const tokens = isAnonymous(config) ? undefined : await followTokens(tokenSource(config), log);
  let sweeper: Sweeper | undefined;
  let calls = 0;
  const connections = {
    url: databaseUrl,
    backend,
    connections: config.KV_CONNECTIONS,
    queueLimit: config.KV_QUEUE_CALLS,
    packets: true,
  };
  const database = connect(connections);
  let tables: Tables | undefined;
  try {
    const shards = await watchShards(database, {
      backend,
      keyspace: keyspaceOf(databaseUrl),
      hash: (key) => Bun.hash.xxHash64(key),
    });
    tables = new Tables(connections, database, shards);
    const anywhere = new Table(database);
    const batching = config.KV_COALESCE === "true" ? batch(config, shards, tables, anywhere) : undefined;
    if (config.KV_SWEEP === "true") {
      const holder = `${hostname()}-${process.pid}`;
      sweeper = new Sweeper({
        ...{ url: databaseUrl, backend, shards, holder, log },
        storeOver: directStore,
        calls: () => calls,
      });
    }
    const app = createApp(batching ?? directStore(anywhere, config.KV_DEADLINE_MS), {
      maxValueBytes: config.KV_MAX_VALUE_BYTES,
      bodyTimeoutMs: config.KV_BODY_MS,
      tokens,
      ttlJitter: config.KV_TTL_JITTER,
      metrics: createMetrics(async () => (await sweeper?.status()) ?? new Map()),
      log,
      isDraining: () => stop.signal.aborted,
      isFull: batching?.isFull ?? (() => false),
      reserve: batching?.reserve,
    });
    const server = Bun.serve({
      hostname: config.KV_HOST,
      port: config.PORT,
      // Else two servers of one user could share a port without knowing.
      reusePort: config.KV_WORKERS > 1,
      idleTimeout: Math.ceil((config.KV_BODY_MS + config.KV_DEADLINE_MS) / 1000) + IDLE_SLACK_SECONDS,
      // The app's own limits answer with a problem document; Bun's would close the connection without a word.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request) => {
        calls += 1;
        return stop.signal.aborted ? lastAnswer(app.fetch(request)) : app.fetch(request);
      },
    });
    onServing({ url: server.url.href, port: server.port as number });
    await stopped;
    // Whoever still sends when the connections close can't know what became of it: clients must have left by then.
    if (leaves) {
      log.info("leaving");
      await sleep(config.KV_LEAVE_MS);
    }
    log.info("draining");
    const ended = Promise.all([server.stop(), sweeper?.stop()]);
    await Promise.race([ended, sleep(config.KV_DRAIN_MS, undefined, { ref: false })]);
    await server.stop(true);
    log.info("stopped");
  } finally {
    await Promise.race([sweeper?.stop(), sleep(SWEEP_END_MS, undefined, { ref: false })]);
    await Promise.all([database.close(), tables?.close()]);
  }
}

/** An answer that says that its connection takes no further request. */
async function lastAnswer(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  response.headers.set("Connection", "close");
  return response;
}

function tokenSource({ KV_TOKENS, KV_TOKENS_FILE }: Config): TokenSource {
  return { inline: KV_TOKENS, file: KV_TOKENS_FILE };
}

function batch(config: Config, shards: Shards, tables: Tables, anywhere: Table): BatchingStore {
  return batchingStore(
    {
      shardOf: shards.shardOf,
      tableAt: (shard) => tables.at(shard),
      refresh: shards.refresh,
      ping: () => anywhere.ping(performance.now() + PING_MS),
    },
    {
      inFlight: { reads: config.KV_STATEMENTS, writes: 1 },
      batchRows: config.KV_BATCH_ROWS,
      batchBytes: BATCH_BYTES,
      maxCalls: config.KV_QUEUE_CALLS,
      maxBytes: config.KV_QUEUE_BYTES,
      deadlineMs: config.KV_DEADLINE_MS,
    },
  );
}
