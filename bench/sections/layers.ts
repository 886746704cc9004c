// What each layer of the server costs by itself, without sockets and without a database.

import { Hono } from "hono";
import { format, type SqlValue } from "mysql2";
import pino from "pino";
import { Bench } from "tinybench";
import { createApp } from "../../src/app.ts";
import type { Database, Statement } from "../../src/database/connect.ts";
import { watchShards } from "../../src/database/shards.ts";
import { keyOf } from "../../src/http/key.ts";
import { BATCH_BYTES } from "../../src/limits.ts";
import { CoalescingStore } from "../../src/store/coalesce.ts";
import { SqlStore } from "../../src/store/sql.ts";
import {
  type BatchStore,
  type Entry,
  type EntryKey,
  entryKey,
  keyName,
  type NewEntry,
  newVersion,
  type Store,
} from "../../src/store/store.ts";
import { step } from "../../vitess/progress.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { VALUE, VALUE_BYTES } from "../system.ts";

/** Calls at once, where a layer works on many. */
const CALLS = 1_000;
/** The default of KV_BATCH_ROWS. */
const BATCH_ROWS = 500;
/** A layer is measured for this share of what a load on the whole is. */
const SHARE = 0.1;
/** So far away that no call reaches it. */
const DEADLINE_MS = 600_000;

interface Layer {
  name: string;
  /** How many calls one run makes. */
  calls: number;
  run: () => unknown;
}

export async function layers({ options, signal }: Rig): Promise<Findings> {
  const bench = new Bench({
    time: 1000 * SHARE * options.seconds,
    warmupTime: 1000 * SHARE * options.warmupSeconds,
    signal,
    throws: true,
  });
  const all = await makeLayers();
  for (const { name, run } of all) bench.add(name, async () => void (await run()));
  await step("the layers", async (report) => {
    bench.addEventListener("cycle", ({ task }) => report(task?.name ?? ""));
    await bench.run();
  });
  signal.throwIfAborted();
  const measured = all.map(({ name, calls }) => {
    const result = bench.getTask(name)?.result;
    if (result?.state !== "completed") throw new Error(`${name} was not measured`);
    // Milliseconds; the mean and not the median, for garbage collection is part of the cost.
    const { mean, rme } = result.latency;
    return { layer: name, nsPerCall: (mean * 1e6) / calls, marginPercent: rme };
  });
  return {
    versions: {
      tinybench: packageVersion("tinybench"),
      hono: packageVersion("hono"),
      mysql2: packageVersion("mysql2"),
    },
    method: `The mean over ${figure(SHARE * options.seconds)} s of calls in one thread after ${figure(SHARE * options.warmupSeconds)} s of warm-up, with its 95% margin; values of ${VALUE_BYTES} bytes.`,
    data: { measured },
    markdown: table(
      ["Layer", "ns per call", "±", "calls/s"],
      measured.map(({ layer, nsPerCall, marginPercent }) => [
        layer,
        figure(nsPerCall),
        `${figure(marginPercent)}%`,
        figure(1e9 / nsPerCall),
      ]),
    ),
  };
}

async function makeLayers(): Promise<Layer[]> {
  const names = Array.from({ length: CALLS }, (_, i) => `key${String(i).padStart(4, "0")}`);
  const urls = names.map((name) => `http://127.0.0.1:8787/v1/kv/bench/${name}`);
  const keys = names.map((name) => entryKey("bench", name));
  const batch = keys.slice(0, BATCH_ROWS);
  const value = Buffer.from(VALUE);
  const entry: NewEntry = { value, contentType: "text/plain", metadata: null, expiry: "never" };
  const puts = batch.map((key) => ({ key, version: newVersion(), entry }));
  const later = () => performance.now() + DEADLINE_MS;

  const stub = new StubStore(value);
  const database = new StubDatabase(value);
  const sql = new SqlStore(database, { deadlineMs: DEADLINE_MS });
  const { shardOf } = await watchShards(database, {
    backend: "vitess",
    keyspace: "kv",
    hash: (key) => Bun.hash.xxHash64(key),
  });
  const coalescing = (store: BatchStore) =>
    new CoalescingStore(store, {
      statements: { reads: 1, writes: 1 },
      batchRows: BATCH_ROWS,
      batchBytes: BATCH_BYTES,
      maxCalls: 20_000,
      maxBytes: 256 * 1024 * 1024,
      deadlineMs: DEADLINE_MS,
      shardOf,
    });
  const overStub = coalescing(stub);
  const log = pino({ level: "silent" });
  const appOver = (store: Store) =>
    createApp(store, {
      maxValueBytes: 1024 * 1024,
      bodyTimeoutMs: DEADLINE_MS,
      log,
      isDraining: () => false,
      isFull: () => false,
    });
  const app = appOver(stub);
  const wholeApp = appOver(coalescing(sql));
  const ok = new Hono().get("/v1/kv/:ns/:key", (c) => c.text("ok"));
  const put = (url: string) => new Request(url, { method: "PUT", body: value });

  const each = (name: string, run: (i: number) => unknown): Layer => ({
    name,
    calls: CALLS,
    run: () => {
      for (let i = 0; i < CALLS; i++) run(i);
    },
  });
  const inTurn = (name: string, run: (i: number) => Promise<unknown>): Layer => ({
    name,
    calls: CALLS,
    run: async () => {
      for (let i = 0; i < CALLS; i++) await run(i);
    },
  });
  const atOnce = (name: string, run: (i: number) => unknown): Layer => ({
    name,
    calls: CALLS,
    run: () => Promise.all(names.map((_, i) => run(i))),
  });
  const rows = (name: string, run: () => unknown): Layer => ({ name, calls: BATCH_ROWS, run });
  const url = (i: number) => urls[i] as string;
  const key = (i: number) => keys[i] as (typeof keys)[number];
  await sql.putMany(puts, later());
  const upsert = database.last;

  return [
    each("keyOf: the key of a URL", (i) => keyOf({ url: url(i) })),
    each("entryKey: a namespace and a key as bytes", (i) => entryKey("bench", names[i] as string)),
    each("newVersion", () => newVersion()),
    each("shardOf: the shard of a key, of two", (i) => shardOf(key(i))),
    each("a Request, GET, made for the rows below", (i) => new Request(url(i))),
    each("a Request, PUT, made for the rows below", (i) => put(url(i))),
    inTurn('Hono with one route that answers "ok", GET', async (i) => ok.fetch(new Request(url(i)))),
    inTurn("the app over a store that does nothing, GET", async (i) => app.fetch(new Request(url(i)))),
    inTurn("the app over a store that does nothing, PUT", async (i) => app.fetch(put(url(i)))),
    atOnce("coalescing over statements that do nothing, 1,000 gets at once", (i) => overStub.get(key(i))),
    atOnce("coalescing over statements that do nothing, 1,000 puts at once", (i) => overStub.put(key(i), entry)),
    rows("a statement of 500 gets and its rows, a database that does nothing", () => sql.getMany(batch, later())),
    rows("a statement of 500 puts, a database that does nothing", () => sql.putMany(puts, later())),
    rows("mysql2's text of a statement of 500 puts", () => format(upsert.sql, upsert.params as SqlValue[])),
    atOnce("all but sockets and the database, 1,000 GETs at once", (i) => wholeApp.fetch(new Request(url(i)))),
    atOnce("all but sockets and the database, 1,000 PUTs at once", (i) => wholeApp.fetch(put(url(i)))),
  ];
}

/** Has every key and keeps nothing. */
class StubStore implements BatchStore {
  private readonly entry: Entry;

  constructor(value: Buffer) {
    this.entry = {
      value,
      valueBytes: value.length,
      version: newVersion(),
      contentType: "text/plain",
      metadata: null,
      expiry: null,
    };
  }

  async get() {
    return this.entry;
  }
  async head() {
    return this.entry;
  }
  async put() {
    return this.entry.version;
  }
  async delete() {
    return true;
  }
  async expire() {
    return { outcome: "absent" } as const;
  }
  async persist() {
    return false;
  }
  async ping() {}
  async getMany(keys: EntryKey[]) {
    return new Map(keys.map((key) => [keyName(key), this.entry]));
  }
  async confirmMany() {
    return new Map<string, Entry>();
  }
  async putMany() {}
  async deleteMany() {}
}

/** Answers at once: a row for each key asked for, made once, and two shards. */
class StubDatabase implements Database {
  last: Statement = { name: "", sql: "", params: [], writes: false };
  private readonly rows = new Map<string, object>();

  constructor(private readonly value: Buffer) {}

  async execute<T>(statement: Statement): Promise<T> {
    this.last = statement;
    if (statement.name === "shards") {
      return ["-80", "80-"].map((Shard) => ({ Keyspace: "kv", TabletType: "PRIMARY", State: "SERVING", Shard })) as T;
    }
    if (statement.writes) return { affectedRows: 1, insertId: 0 } as T;
    return statement.params.filter(Buffer.isBuffer).map((key) => this.row(key)) as T;
  }

  async close() {}

  private row(id: Buffer): object {
    const name = id.toString("latin1");
    const { value } = this;
    const row = this.rows.get(name) ?? {
      ...{ id, version: Buffer.alloc(16), content_type: "text/plain", metadata: null },
      ...{ expires_at: null, ttl_ms: null, value },
    };
    this.rows.set(name, row);
    return row;
  }
}
