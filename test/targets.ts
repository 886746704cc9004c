// What the tests run against: a server over Vitess, one over a plain MySQL, and one on Deno and the Worker over Vitess, as `npm test` or
// `npm run test:up` has started them.

import { test } from "bun:test";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mysql2/promise";
import { kept, type Targets } from "./suite.ts";

let known: Targets | undefined;

/** Looked up when first needed: most helpers of this file need none. */
export const targets: Targets = {
  get vitess() {
    return find().vitess;
  },
  get mysql() {
    return find().mysql;
  },
  get worker() {
    return find().worker;
  },
  get deno() {
    return find().deno;
  },
};

function find(): Targets {
  const given = process.env.KV_TEST_TARGETS;
  known ??= given ? (JSON.parse(given) as Targets) : kept()?.targets;
  if (!known) throw new Error("nothing to test against: run `npm run test:up`, or all tests with `npm test`");
  return known;
}

/** The server with a clock that is wrong by TEST_CLOCK_SHIFT_MS. */
export const SHIFTED_SERVER = join(import.meta.dirname, "shifted-server.ts");

/** The names of the servers on Bun, after their databases. */
export const BACKENDS = ["vitess", "mysql"] as const;

/** The names of the servers that the contract is tested on. */
export const SERVERS = [...BACKENDS, "deno", "worker"] as const;

/**
 * A test that the Worker is spared, for what it is about does not reach it as it was sent. wrangler dev passes requests on
 * over connections of its own: it takes the fragment off a URL, and a header field away that has no value, waits for the
 * end of a body that is refused, and makes a whole one of a chunked body that is cut off. (By itself workerd does none of
 * it.)
 */
export const exceptOnWorker = (server: (typeof SERVERS)[number]) => test.skipIf(server === "worker");

/** Shorter than the suite's own limit for one test, longer than any call should take. */
const CALL_TIMEOUT_MS = 30_000;
const CONDITION_TIMEOUT_MS = 60_000;

export function call(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, signal: init.signal ?? AbortSignal.timeout(CALL_TIMEOUT_MS) });
}

let keys = 0;

/** A URL below `base` that no other test uses. */
export function freshKeyUrl(base: string, namespace = "test"): string {
  keys += 1;
  return `${base}/v1/kv/${namespace}/${process.pid}-${Date.now()}-${keys}`;
}

/** The row's primary key, as the table holds it, for a key URL that has no escapes. */
export function rowKey(keyUrl: string): Buffer {
  return Buffer.from(new URL(keyUrl).pathname.slice("/v1/kv/".length));
}

/** A session at the MySQL server that is the primary of the key's shard, past vtgate: to hold locks and look around. */
export async function connectToPrimaryOf(keyUrl: string): Promise<Connection> {
  for (const primary of targets.vitess.status.tablets.filter((tablet) => tablet.role === "primary")) {
    const connection = await connectToTablet(primary.mysqlSocket);
    const [rows] = await connection.query("SELECT 1 FROM entries WHERE `key` = ?", [rowKey(keyUrl)]);
    if ((rows as unknown[]).length > 0) return connection;
    connection.destroy();
  }
  throw new Error("no shard holds the key");
}

/** Keeps the key's row locked while `work` runs, so that a write to it stays in flight; `awaited` waits for such a one. */
export async function whileLocked(
  keyUrl: string,
  work: (unlock: () => Promise<void>, awaited: () => Promise<void>) => Promise<void>,
) {
  const holder = await connectToPrimaryOf(keyUrl);
  try {
    await holder.query("START TRANSACTION");
    await holder.query("SELECT 1 FROM entries WHERE `key` = ? FOR UPDATE", [rowKey(keyUrl)]);
    const isAwaited = async () => {
      const [rows] = await holder.query("SELECT 1 FROM performance_schema.data_lock_waits");
      return (rows as unknown[]).length > 0;
    };
    await work(
      async () => {
        await holder.query("COMMIT");
      },
      () => until(isAwaited, "a write waits for the lock"),
    );
  } finally {
    holder.destroy();
  }
}

/** Waits for a condition, in place of a time in which it should come true. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = CONDITION_TIMEOUT_MS,
) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}

export function connectToTablet(socketPath: string): Promise<Connection> {
  return createConnection({ socketPath, user: "vt_dba", database: "vt_kv" });
}
