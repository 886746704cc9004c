// What each layer of the server costs by itself, without sockets and without a database.

import { Hono } from "hono";
import { format, type SqlValue } from "mysql2";
import pino from "pino";
import { Bench } from "tinybench";
import { createApp } from "../../src/app.ts";
import { batchingStore } from "../../src/batching/batching.ts";
import type { Database } from "../../src/database/connect.ts";
import { watchShards } from "../../src/database/shards.ts";
import { type Change, type Statement, upsert } from "../../src/database/statements.ts";
import { type Found, type Known, type Reads, Table } from "../../src/database/table.ts";
import { keyOf } from "../../src/http/path.ts";
import { BATCH_BYTES } from "../../src/limits.ts";
import { type Entry, type EntryKey, entryKey, keyName, type NewEntry, type Store } from "../../src/store/store.ts";
import { newRevision, newVersion, REVISION_BYTES } from "../../src/store/version.ts";
import { step } from "../../vitess/support/progress.ts";
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
  const puts = batch.map((key) => ({ key, revision: newRevision(newVersion()), expiry: entry.expiry, content: entry }));
  const changes = batch.map((key) => {
    const guard = { revision: newRevision(newVersion()), expiresAtMs: null, lives: true };
    return { key, guard, revision: newRevision(newVersion()), expiresAtMs: Date.now(), content: undefined };
  });
  const expiry = { afterMs: DEADLINE_MS };
  const later = () => performance.now() + DEADLINE_MS;

  const stub = stubStore(value);
  const database = new StubDatabase(value);
  const whole = new Table(database);
  const { shardOf } = await watchShards(database, {
    backend: "vitess",
    keyspace: "kv",
    hash: (key) => Bun.hash.xxHash64(key),
  });
  const batchingOver = (table: Table) =>
    batchingStore(
      { shardOf, tableAt: () => table, refresh: () => {}, ping: async () => {} },
      {
        inFlight: { reads: 1, writes: 1 },
        batchRows: BATCH_ROWS,
        batchBytes: BATCH_BYTES,
        maxCalls: 20_000,
        maxBytes: 256 * 1024 * 1024,
        deadlineMs: DEADLINE_MS,
      },
    );
  const batching = batchingOver(new StubTable(database, keys, stubEntry(value)));
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
  const wholeApp = appOver(batchingOver(whole));
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
  const upserting = upsert(puts);

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
    atOnce("batching over a table that does nothing, 1,000 gets at once", (i) => batching.get(key(i))),
    atOnce("batching over a table that does nothing, 1,000 puts at once", (i) => batching.put(key(i), entry)),
    atOnce("batching over a table that does nothing, 1,000 expires at once", (i) => batching.expire(key(i), expiry)),
    rows("a statement of 500 gets and its rows, a database that does nothing", () =>
      whole.read("entries", batch, later()),
    ),
    rows("a statement of 500 puts, a database that does nothing", () => whole.put(puts, later())),
    rows("a batch of 500 known changes, a database that does nothing", async () => {
      await whole.known(batch, later());
      await whole.change(changes, later());
    }),
    rows("mysql2's text of a statement of 500 puts", () => format(upserting.sql, upserting.params as SqlValue[])),
    atOnce("all but sockets and the database, 1,000 GETs at once", (i) => wholeApp.fetch(new Request(url(i)))),
    atOnce("all but sockets and the database, 1,000 PUTs at once", (i) => wholeApp.fetch(put(url(i)))),
  ];
}

function stubEntry(value: Buffer): Entry {
  const version = newVersion();
  return { value, valueBytes: value.length, version, contentType: "text/plain", metadata: null, expiry: null };
}

/** Has every key and keeps nothing. */
function stubStore(value: Buffer): Store {
  const entry = stubEntry(value);
  return {
    get: async () => entry,
    head: async () => entry,
    put: async () => entry.version,
    delete: async () => true,
    expire: async () => ({ outcome: "absent" }),
    persist: async () => false,
    ping: async () => {},
  };
}

/** Has the keys, takes every change and keeps nothing. */
class StubTable extends Table {
  private readonly rows: Known;

  constructor(
    database: Database,
    keys: EntryKey[],
    private readonly entry: Entry,
  ) {
    super(database);
    const row = () => ({ revision: newRevision(newVersion()), expiresAtMs: null });
    this.rows = { rows: new Map(keys.map((key) => [keyName(key), row()])), clockMs: Date.now() };
  }

  override async read<K extends keyof Reads>(_: K, keys: EntryKey[]) {
    return new Map(keys.map((key) => [keyName(key), this.entry])) as Found<Reads[K]>;
  }
  override async known() {
    return this.rows;
  }
  override async put() {}
  override async change(changes: Change[]) {
    return new Map(changes.map(({ key, revision }) => [keyName(key), revision]));
  }
}

/** Answers at once: a row for each key asked for, made once, and two shards. */
class StubDatabase implements Database {
  private readonly rows = new Map<string, object>();

  constructor(private readonly value: Buffer) {}

  async execute<T>(statement: Statement): Promise<T> {
    return this.answer(statement) as T;
  }

  async close() {}

  private answer({ name, params }: Statement): unknown {
    switch (name) {
      case "vindex":
        return [vindex(params)];
      case "shards":
        return ["kv/-80", "kv/80-"].map((Shards) => ({ Shards }));
      case "get":
        return this.rowsOf(params.slice(1));
      case "find":
        return [...this.rowsOf(params), { clock: Date.now() }];
      case "touch":
        // Of each change four parameters, and at the end its key.
        return [{}, {}, this.rowsOf(params.slice(-params.length / 5)), {}];
      default:
        return { affectedRows: 1, insertId: 0 };
    }
  }

  private rowsOf(keys: unknown[]): object[] {
    return keys.map((key) => this.row(key as Buffer));
  }

  private row(id: Buffer): object {
    const name = id.toString("latin1");
    const { value } = this;
    const row = this.rows.get(name) ?? {
      ...{ id, version: Buffer.alloc(REVISION_BYTES, 1), content_type: "text/plain", metadata: null },
      ...{ expires_at: null, ttl_ms: null, value },
    };
    this.rows.set(name, row);
    return row;
  }
}

/** What is told of the vindex, and where by it the key is, which comes last. */
function vindex(params: unknown[]): object {
  const keyspaceId = Buffer.alloc(8);
  keyspaceId.writeBigUInt64LE(Bun.hash.xxHash64(params.at(-1) as Buffer | string));
  return { Columns: "key", Name: "xxhash", keyspace_id: keyspaceId };
}
