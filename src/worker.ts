// The entry on Cloudflare Workers: the same app, over one connection through Hyperdrive for each invocation; or an edge of
// servers elsewhere, which then needs no database.

import { env } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";
import pino from "pino";
import xxhash from "xxhash-wasm";
import { createApp } from "./app.ts";
import { requireSome, Tokens } from "./auth/tokens.ts";
import { directStore } from "./batching/direct.ts";
import { readWorkerConfig } from "./config.ts";
import { connect, type Database } from "./database/connect.ts";
import { ExpiredRows } from "./database/expired.ts";
import { Table } from "./database/table.ts";
import { createForwarder } from "./forward/forward.ts";
import { sweepForAWhile } from "./sweep/cron.ts";
import { LEASE_CALL_MS } from "./sweep/lease.ts";

interface InvocationContext {
  /** Keeps the invocation alive after its answer, or without a client, until the promise settles. */
  waitUntil(promise: Promise<unknown>): void;
}

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

/** Where a statement finds its invocation's connection. Sockets can't be shared between invocations; the app can. */
const invocation = new AsyncLocalStorage<Database>();
const current = () => invocation.getStore() as Database;
const database: Database = {
  execute: (statement, timeoutMs) => current().execute(statement, timeoutMs),
  close: () => current().close(),
};
const store = directStore(new Table(database), config.KV_DEADLINE_MS);
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

const { h64Raw } = await xxhash();
const forwarder =
  config.KV_FORWARD_URL &&
  createForwarder({
    ...{ urls: config.KV_FORWARD_URL, hash: (key) => h64Raw(key) },
    // What a call may take there, and the way.
    timeoutMs: config.KV_DEADLINE_MS + FORWARD_SLACK_MS,
    bodyTimeoutMs: config.KV_BODY_MS,
  });

/** Stays alive until the answer is there, also without its client: others may wait for the same. */
function forward(context: InvocationContext, answer: Promise<Response>): Promise<Response> {
  context.waitUntil(answer.catch(() => {}));
  return answer;
}

/** Gives `work` a connection, opened at its first statement and closed after it, without delaying its result. */
function invoke<T>(context: InvocationContext, work: () => Promise<T>): Promise<T> {
  const connection = connect({ url: hyperdriveUrl(), connections: 1, queueLimit: QUEUED_CALLS, disableEval: true });
  const result = invocation.run(connection, work);
  context.waitUntil(result.catch(() => {}).then(() => connection.close()));
  return result;
}

function hyperdriveUrl(): string {
  const { host, port, user, password, database } = env.HYPERDRIVE;
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return `mysql://${credentials}@${host}:${port}/${encodeURIComponent(database)}`;
}

export default {
  fetch: (request: Request, _: unknown, context: InvocationContext) =>
    forwarder ? forward(context, forwarder.fetch(request)) : invoke(context, async () => app.fetch(request)),

  /** By cron, each minute. */
  scheduled: (_: unknown, __: unknown, context: InvocationContext) =>
    invoke(context, async () => {
      if (forwarder || config.KV_SWEEP === "false") return;
      const swept = await sweepForAWhile(directStore(new Table(database), LEASE_CALL_MS), new ExpiredRows(database));
      if (swept) log.info(swept, "swept");
      else log.info("swept by another invocation");
    }),
};
