// One process's serving: the store over its connections, the app, the sweep, and an orderly end.

import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { createApp } from "./app.ts";
import { followTokens } from "./auth/source.ts";
import { type BatchingOptions, batchingStore, type Shards as Places } from "./batching/batching.ts";
import { directStore, directStoreOver } from "./batching/direct.ts";
import type { BatchingObserver } from "./batching/observer.ts";
import { type Config, certificateFiles, isAnonymous, isLoopback, tokenSource } from "./config.ts";
import { watchState } from "./dashboard/state.ts";
import type { Backend } from "./database/backend.ts";
import { connect } from "./database/connect.ts";
import { observed } from "./database/observed.ts";
import { watchShards } from "./database/shards.ts";
import { readMigrations, readSize } from "./database/state.ts";
import { Table } from "./database/table.ts";
import { Tables } from "./database/tables.ts";
import { readTablets } from "./database/tablets.ts";
import { keyspaceOf } from "./database/url.ts";
import { KnownDictionaries, NamespaceDictionaries } from "./dictionaries/dictionaries.ts";
import type { exchange } from "./exchange.ts";
import { BATCH_BYTES } from "./limits.ts";
import { listen } from "./listen.ts";
import type { Serving } from "./processes.ts";
import type { Runtime } from "./runtime.ts";
import { Sweeper } from "./sweep/sweeper.ts";
import { Journal } from "./telemetry/journal.ts";
import { Metrics, type Snapshot } from "./telemetry/metrics.ts";
import { Guards } from "./terms/guards.ts";
import { openZstd } from "./zstd/open.ts";

/**
 * Beyond what a body and then a call may take, for the answer that says that it took too long: Bun's timers are up to
 * four seconds early. A connection is cut off after that, whether nothing moves on it or less than 16 KiB/s arrive, of a
 * request's head as well.
 */
const IDLE_SLACK_SECONDS = 5;

/** Beyond the drain, for the sweep: leases that it does not give back expire by themselves. */
const SWEEP_END_MS = 500;

/** For each place where a dictionary may be, so that a call that needs one still has time to be told that it can't be had. */
const DICTIONARY_MS = 2_000;

/** Whoever asks for a sign of life wants to know now. */
const PING_MS = 2_000;

/** When a process is to end, and how. */
export interface Ending {
  signal: AbortSignal;
  /** Resolves when the signal fires. */
  begun: Promise<unknown>;
  /** Whether clients get time to go elsewhere before connections close. */
  leaves: boolean;
}

/** A configuration that names its database. */
export type ServerConfig = Config & { DATABASE_URL: string };

/**
 * Serves and sweeps until the end begins, then lets clients leave, stops accepting, finishes what is in flight and closes
 * the pool. One of several processes tells what it has counted through `exchanging`.
 */
export async function serve(
  runtime: Runtime,
  config: ServerConfig,
  backend: Backend,
  log: Logger,
  ending: Ending,
  onServing: (serving: Serving) => void,
  exchanging?: typeof exchange<Snapshot>,
) {
  const tokens = isAnonymous(config) ? undefined : await followTokens(tokenSource(config), log);
  let sweeper: Sweeper | undefined;
  let calls = 0;
  const journal = new Journal(config.KV_SLOW_MS || Number.POSITIVE_INFINITY);
  const tracing = await openTracing(config, journal);
  const metrics = new Metrics({ journal, log, tracing });
  const ofAll = exchanging?.(() => metrics.snapshot());
  // Without counting, metrics tell only what is asked of others.
  const counting = config.KV_METRICS === "true" ? metrics : undefined;
  const observer = counting?.statements;
  const connections = {
    url: config.DATABASE_URL,
    backend,
    connections: config.KV_CONNECTIONS,
    queueLimit: config.KV_QUEUE_CALLS,
    packets: true,
    observer,
  };
  const database = connect(connections);
  let tables: Tables | undefined;
  let guards: Guards | undefined;
  try {
    const keyspace = keyspaceOf(config.DATABASE_URL);
    const inNoShard = observed(database, { shard: "", type: "primary" }, observer);
    const shards = await watchShards(inNoShard, {
      ...{ backend, keyspace },
      hash: runtime.hash,
    });
    // A plain MySQL has no other primary; its address may lead to another one day, which it can't be asked about.
    if (backend === "vitess" && config.KV_READ_LEASE_MS > 0) {
      guards = new Guards({ connect: connections, shards, leaseMs: config.KV_READ_LEASE_MS, log });
      guards.begin();
    }
    const DictionariesOf = config.KV_COMPRESS === "true" ? NamespaceDictionaries : KnownDictionaries;
    // Past the lanes, because what is under way there may wait for a dictionary.
    const dictionaries = new DictionariesOf(directStore(new Table(inNoShard), DICTIONARY_MS), shards, openZstd());
    const opened = new Tables(connections, database, shards, {
      fenceOf: (shard, type) => guards?.at(shard, type),
      dictionariesOf: (shard) => dictionaries.at(shard),
    });
    tables = opened;
    const places: Places = {
      ...shards,
      tableAt: (shard, type) => opened.at(shard, type),
      ping: () => new Table(inNoShard).ping(performance.now() + PING_MS),
    };
    const batching =
      config.KV_COALESCE === "true" ? batchingStore(places, batchingOptions(config, counting?.calls)) : undefined;
    if (config.KV_SWEEP === "true") {
      const holder = `${hostname()}-${process.pid}`;
      sweeper = new Sweeper({
        ...{ url: config.DATABASE_URL, backend, shards, holder, log, observer },
        storeOver: directStore,
        calls: () => calls,
      });
    }
    const ofDatabase = {
      sweep: async () => (await sweeper?.status()) ?? new Map(),
      tablets: backend === "vitess" ? () => readTablets(inNoShard, keyspace) : undefined,
    };
    metrics.watch(shards.names, {
      ...ofDatabase,
      load: batching?.load,
      limits: { calls: config.KV_QUEUE_CALLS, bytes: config.KV_QUEUE_BYTES },
    });
    const dashboard = watchState({
      ...ofDatabase,
      metrics: () => metrics.ofProcesses(ofAll),
      ping: places.ping,
      shards: shards.names,
      size: (shard) => readSize(config.DATABASE_URL, backend, shard),
      migrations: async () => (backend === "vitess" ? readMigrations(config.DATABASE_URL) : []),
    });
    const app = createApp(batching ?? directStoreOver(places, config.KV_DEADLINE_MS, counting?.calls), {
      maxValueBytes: config.KV_MAX_VALUE_BYTES,
      bodyTimeoutMs: config.KV_BODY_MS,
      tokens,
      ttlJitter: config.KV_TTL_JITTER,
      metrics: async () => (await metrics.gather(ofAll)).metrics(),
      dashboard,
      observer: counting,
      log,
      isDraining: () => ending.signal.aborted,
      isFull: batching?.isFull ?? (() => false),
      reserve: batching?.reserve,
      partsOf: runtime.partsOf,
      urlsAsSent: runtime.urlsAsSent,
      corsOrigins: config.KV_CORS_ORIGINS,
      onlyLoopback: tokens === undefined && isLoopback(config.KV_HOST),
    });
    const listener = await listen(
      runtime,
      {
        hostname: config.KV_HOST,
        port: config.PORT,
        // Else two servers of one user could share a port without knowing.
        reusePort: config.KV_WORKERS > 1,
        idleSeconds: idleSeconds(config),
        fetch: (request) => {
          calls += 1;
          return ending.signal.aborted ? lastAnswer(app.fetch(request)) : app.fetch(request);
        },
      },
      certificateFiles(config),
      log,
    );
    onServing({ url: listener.url, port: listener.port });
    await ending.begun;
    // Whoever still sends when the connections close can't know what became of it: clients must have left by then.
    if (ending.leaves) {
      log.info("leaving");
      await sleep(config.KV_LEAVE_MS);
    }
    log.info("draining");
    const ended = Promise.all([listener.stop(), sweeper?.stop()]);
    await Promise.race([ended, sleep(config.KV_DRAIN_MS, undefined, { ref: false })]);
    await listener.stop(true);
    log.info("stopped");
  } finally {
    await Promise.race([sweeper?.stop(), sleep(SWEEP_END_MS, undefined, { ref: false })]);
    await Promise.all([database.close(), tables?.close(), guards?.close(), tracing?.close()]);
  }
}

/** Its libraries are loaded only where it is asked for. */
async function openTracing({ KV_METRICS, KV_TRACE_RATIO: ratio }: Config, journal: Journal) {
  if (ratio === 0 || KV_METRICS === "false") return undefined;
  const { Tracing } = await import("./telemetry/tracing.ts");
  return new Tracing(ratio, journal);
}

/**
 * How long a connection may be silent: longer than balancers keep idle ones, usually 60 s, because whoever closes first
 * makes the other's next request fail; and never shorter than a call may take.
 */
function idleSeconds({ KV_IDLE_MS, KV_BODY_MS, KV_DEADLINE_MS }: Config): number {
  return Math.ceil(Math.max(KV_IDLE_MS, KV_BODY_MS + KV_DEADLINE_MS) / 1000) + IDLE_SLACK_SECONDS;
}

/** An answer that says that its connection takes no further request. */
async function lastAnswer(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  response.headers.set("Connection", "close");
  return response;
}

function batchingOptions(config: Config, observer: BatchingObserver | undefined): BatchingOptions {
  return {
    inFlight: { reads: config.KV_STATEMENTS, writes: 1 },
    batchRows: config.KV_BATCH_ROWS,
    batchBytes: BATCH_BYTES,
    maxCalls: config.KV_QUEUE_CALLS,
    maxBytes: config.KV_QUEUE_BYTES,
    deadlineMs: config.KV_DEADLINE_MS,
    observer,
  };
}
