// The entry on Cloudflare Workers: the same app, over one connection through Hyperdrive for each invocation; or an edge of
// servers elsewhere, which then needs no database.

import { env, waitUntil } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";
import pino from "pino";
import xxhash from "xxhash-wasm";
import { createApp } from "./app.ts";
import { requireSome, Tokens } from "./auth/tokens.ts";
import { directStore, directStoreOver } from "./batching/direct.ts";
import { readWorkerConfig } from "./config.ts";
import { connect, type Database } from "./database/connect.ts";
import { ExpiredRows } from "./database/expired.ts";
import type { Fence } from "./database/fence.ts";
import { ONE_SHARD } from "./database/shards.ts";
import { Table } from "./database/table.ts";
import { keyspaceOf } from "./database/url.ts";
import { KnownDictionaries } from "./dictionaries/dictionaries.ts";
import { createForwarder } from "./forward/forward.ts";
import { sweepForAWhile } from "./sweep/cron.ts";
import { LEASE_CALL_MS } from "./sweep/lease.ts";
import { type InvocationFence, Invocations } from "./terms/invocations.ts";
import { Zstd } from "./zstd/zstd.ts";
import zstd from "./zstd/zstd.wasm";

/** What a call that is forwarded may take beyond its deadline, so that the answer of who has it comes first. */
const FORWARD_SLACK_MS = 5_000;
/** Of one invocation, for its connection: far more than a request makes. */
const QUEUED_CALLS = 10_000;

// Here and not at the first request: variables that are wrong make the deployment fail.
const config = readWorkerConfig(env);
const log = pino({
  level: config.LOG_LEVEL,
  // A line of JSON each, as elsewhere.
  browser: { write: (line) => console.log(JSON.stringify(line)) },
});

interface Invocation {
  database: Database;
  fence: InvocationFence | undefined;
}

const { h64Raw } = await xxhash();
const hash = (key: Uint8Array) => h64Raw(key);
/** Undefined where reads may be stale. */
const invocations =
  config.KV_READ_LEASE_MS > 0 ? new Invocations({ hash, leaseMs: config.KV_READ_LEASE_MS, log }) : undefined;

/** Where a statement finds its invocation's connection. Sockets can't be shared between invocations; the app can. */
const invocation = new AsyncLocalStorage<Invocation>();
const current = () => invocation.getStore() as Invocation;
const database: Database = {
  execute: (statement, timeoutMs) => current().database.execute(statement, timeoutMs),
  close: () => current().database.close(),
};
/** A Worker reads what servers have packed, and packs nothing. */
const dictionaries = new KnownDictionaries(
  directStore(new Table(database), config.KV_DEADLINE_MS),
  ONE_SHARD,
  new Zstd(zstd),
).at("");
const fence: Fence = { packets: false, pass: (answer, deadline) => current().fence?.pass(answer, deadline) };
const table = new Table(database, database, fence, dictionaries);
const store = directStoreOver(
  {
    // For lists, which vtgate has all shards answer together.
    all: ONE_SHARD.all,
    shardOf: (key) => invocations?.shardOf(key) ?? "",
    tableAt: () => table,
    refresh: () => current().fence?.refresh(),
    ping: () => table.ping(performance.now() + config.KV_DEADLINE_MS),
  },
  config.KV_DEADLINE_MS,
);
// Another value of it is another deployment, in whose isolates this is read again.
const tokens = config.KV_TOKENS ? requireSome(new Tokens([{ name: "KV_TOKENS", text: config.KV_TOKENS }])) : undefined;
const app = createApp(store, {
  maxValueBytes: config.KV_MAX_VALUE_BYTES,
  bodyTimeoutMs: config.KV_BODY_MS,
  tokens: tokens && (() => tokens),
  ttlJitter: config.KV_TTL_JITTER,
  corsOrigins: config.KV_CORS_ORIGINS,
  log,
  isDraining: () => false,
  isFull: () => false,
  isolated: true,
  decodesHeaders: true,
});

const forwarder =
  config.KV_FORWARD_URL &&
  createForwarder({
    ...{ urls: config.KV_FORWARD_URL, hash },
    // What a call may take there, and the way.
    timeoutMs: config.KV_DEADLINE_MS + FORWARD_SLACK_MS,
    bodyTimeoutMs: config.KV_BODY_MS,
    waitUntil,
  });

/** Gives `work` a connection, opened at its first statement and closed after it, without delaying its result. */
function invoke<T>(work: () => Promise<T>): Promise<T> {
  const url = hyperdriveUrl();
  const database = connect({ url, connections: 1, queueLimit: QUEUED_CALLS, disableEval: true });
  const fence = invocations?.begin(database, keyspaceOf(url));
  const result = invocation.run({ database, fence }, work);
  waitUntil(result.catch(() => {}).then(() => database.close()));
  return result;
}

function hyperdriveUrl(): string {
  const { host, port, user, password, database } = env.HYPERDRIVE;
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return `mysql://${credentials}@${host}:${port}/${encodeURIComponent(database)}`;
}

export default {
  fetch: (request: Request) => forwarder?.fetch(request) ?? invoke(async () => app.fetch(request)),

  /** By cron, each minute. */
  scheduled: () =>
    invoke(async () => {
      if (forwarder || config.KV_SWEEP === "false") return;
      const swept = await sweepForAWhile(directStore(new Table(database), LEASE_CALL_MS), new ExpiredRows(database));
      if (swept) log.info(swept, "swept");
      else log.info("swept by another invocation");
    }),
};
