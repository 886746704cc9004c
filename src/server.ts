// The server on Bun: a cluster or DATABASE_URL, migrations, the app, and an orderly end.

import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino, { type Logger } from "pino";
import { defaultDataDir, down, up } from "../vitess/cluster.ts";
import { ClusterProblem } from "../vitess/problem.ts";
import { portInUse } from "../vitess/processes.ts";
import { step } from "../vitess/progress.ts";
import { createApp } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { BATCH_BYTES } from "./limits.ts";
import { type Backend, inspectBackend } from "./store/backend.ts";
import { CoalescingStore } from "./store/coalesce.ts";
import { connect, type Database } from "./store/connect.ts";
import { migrate } from "./store/migrate.ts";
import { watchShards } from "./store/shards.ts";
import { SqlStore } from "./store/sql.ts";
import type { Store } from "./store/store.ts";

/** A connection on which nothing moves for this long, beyond the deadline of a call, is cut off. */
const IDLE_SECONDS = 30;

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

await main().catch((error) => {
  if (stop.signal.aborted && error.name === "AbortError") process.exit(130);
  // A message and no stack: what fails here is set-up, and the sentence says what to do.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
process.exit(0);

async function main() {
  const config = readConfig(process.env);
  const log = pino({ level: config.LOG_LEVEL, base: null });
  if (config.PORT !== 0 && (await portInUse(config.KV_HOST, config.PORT))) {
    throw new ClusterProblem(`Port ${config.PORT} on ${config.KV_HOST} is in use. Set PORT to another one.`);
  }
  if (config.DATABASE_URL) {
    await serve(config, config.DATABASE_URL, log);
    return;
  }
  const dataDir = resolve(config.KV_DATA_DIR ?? defaultDataDir());
  const { status, started } = await up({ dataDir }, stop.signal);
  try {
    await serve(config, status.url, log);
  } finally {
    // A cluster that was running before is somebody else's to stop.
    if (started) await down(dataDir);
  }
}

/** Serves until a signal comes, then stops accepting, finishes what is in flight and closes the pool. */
async function serve(config: Config, databaseUrl: string, log: Logger) {
  const backend = await step("bring the schema up to date", async () => {
    const found = await inspectBackend(databaseUrl);
    await migrate(databaseUrl, found, stop.signal);
    return found;
  });
  const database = connect({
    url: databaseUrl,
    backend,
    connections: config.KV_CONNECTIONS,
    queueLimit: config.KV_QUEUE_CALLS,
  });
  try {
    const direct = new SqlStore(database, { deadlineMs: config.KV_DEADLINE_MS });
    const store = config.KV_COALESCE === "false" ? direct : await coalesce(config, backend, database, direct);
    const app = createApp(store, {
      maxValueBytes: config.KV_MAX_VALUE_BYTES,
      log,
      isDraining: () => stop.signal.aborted,
    });
    const server = Bun.serve({
      hostname: config.KV_HOST,
      port: config.PORT,
      idleTimeout: IDLE_SECONDS + Math.ceil(config.KV_DEADLINE_MS / 1000),
      // The app's own limits answer with a problem document; Bun's would close the connection without a word.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request) => app.fetch(request),
    });
    log.info({ url: server.url.href }, "serving");
    if (!stop.signal.aborted) await once(stop.signal, "abort");
    log.info("draining");
    await Promise.race([server.stop(), sleep(config.KV_DRAIN_MS, undefined, { ref: false })]);
    await server.stop(true);
    log.info("stopped");
  } finally {
    await database.close();
  }
}

async function coalesce(config: Config, backend: Backend, database: Database, store: SqlStore): Promise<Store> {
  const { shardOf } = await watchShards(database, backend, (key) => Bun.hash.xxHash64(key));
  return new CoalescingStore(store, {
    statements: { reads: config.KV_STATEMENTS, writes: 1 },
    batchRows: config.KV_BATCH_ROWS,
    batchBytes: BATCH_BYTES,
    maxCalls: config.KV_QUEUE_CALLS,
    maxBytes: config.KV_QUEUE_BYTES,
    deadlineMs: config.KV_DEADLINE_MS,
    shardOf,
  });
}
