// Reclaiming: rows of expired keys go, nothing live ever does, whoever interferes, and one server at a time does it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { createConnection } from "mysql2/promise";
import { deadlocks } from "../bench/deadlocks.ts";
import { directStore } from "../src/batching/direct.ts";
import { type Backend, inspectBackend } from "../src/database/backend.ts";
import { connect, type Database } from "../src/database/connect.ts";
import { ExpiredRows } from "../src/database/expired.ts";
import { migrate } from "../src/database/migrate.ts";
import { watchShards } from "../src/database/shards.ts";
import { Table } from "../src/database/table.ts";
import { urlOfShard } from "../src/database/url.ts";
import { entryKey, type NewEntry, type Store } from "../src/store/store.ts";
import { sweepLeaseKey } from "../src/sweep/shards.ts";
import { sweepStep } from "../src/sweep/step.ts";
import { startServer } from "../vitess/run/server-process.ts";
import {
  BACKENDS,
  call,
  connectToPrimaryOf,
  connectToTablet,
  freshKeyUrl,
  rowKey,
  SHIFTED_SERVER,
  targets,
  until,
} from "./targets.ts";

const BUDGET = { rows: 100, ms: 10_000 };
const entry = (value: string, expiry: NewEntry["expiry"]): NewEntry => ({
  value: Buffer.from(value),
  contentType: "text/plain",
  metadata: null,
  expiry,
});
const soon = () => performance.now() + 10_000;
/** Once what a test writes has expired. */
const PAST: NewEntry["expiry"] = { atMs: 1 };

const databases: Database[] = [];
afterAll(() => Promise.all(databases.map((database) => database.close())));

function storeAt(url: string, backend: Backend): { store: Store; expired: ExpiredRows } {
  const database = connect({ url, backend, connections: 4, queueLimit: 100 });
  databases.push(database);
  return { store: directStore(new Table(database), 10_000), expired: new ExpiredRows(database) };
}

async function countRows(connection: Connection, prefix: string): Promise<number> {
  const [rows] = await connection.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM entries WHERE `key` LIKE ?", [
    `${prefix}%`,
  ]);
  return Number(rows[0]?.n);
}

describe.each(BACKENDS)("sweeping on %s", (backend) => {
  const { url: base, databaseUrl } = targets[backend];

  test("a server reclaims expired rows of every shard by itself, and no others", async () => {
    const namespace = `swept-${backend}-${Date.now()}`;
    const put = (name: string, query = "") =>
      call(`${base}/v1/kv/${namespace}/${name}${query}`, { method: "PUT", body: "v" });
    const names = Array.from({ length: 200 }, (_, i) => `k${i}`);
    await Promise.all(names.map((name, i) => put(name, ["?ttl_ms=200", "?expires_at=1", "?ttl=600", ""][i % 4])));
    const connection = await createConnection(databaseUrl);
    try {
      await until(async () => (await countRows(connection, `${namespace}/`)) <= 100, "the expired half is reclaimed");
      // Time for another pass, which finds nothing of ours.
      await sleep(1_000);
      expect(await countRows(connection, `${namespace}/`)).toBe(100);
    } finally {
      connection.destroy();
    }
    const statuses = await Promise.all(
      names.map(async (name) => (await call(`${base}/v1/kv/${namespace}/${name}`)).status),
    );
    expect(statuses).toEqual(names.map((_, i) => (i % 4 < 2 ? 404 : 200)));
  });

  test("what was overwritten after it had been found is not deleted", async () => {
    const { store, expired } = storeAt(databaseUrl, backend);
    const namespace = `overwritten-${Date.now()}`;
    const keys = Array.from({ length: 4 }, (_, i) => entryKey(namespace, `k${i}`));
    const [kept, long, short, untouched] = keys as [
      (typeof keys)[0],
      (typeof keys)[0],
      (typeof keys)[0],
      (typeof keys)[0],
    ];
    for (const key of keys) await store.put(key, entry("old", PAST));
    await store.put(kept, entry("new", "never"));
    await store.put(long, entry("new", { afterMs: 600_000 }));
    await store.put(short, entry("new", { afterMs: 1 }));
    await sleep(5);
    // As if all had been found before. The server may be faster with those that are expired.
    expect(await expired.reclaim(keys, soon())).toBeLessThanOrEqual(2);
    expect((await store.get(kept))?.value.toString()).toBe("new");
    expect((await store.get(long))?.value.toString()).toBe("new");
    expect([await store.get(short), await store.get(untouched)]).toEqual([null, null]);
  });

  test("the namespace of the leases is no client's", async () => {
    for (const namespace of [".lease", "%2Elease"]) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await call(`${base}/v1/kv/${namespace}/x`, { method });
        expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, "invalid_namespace"]);
      }
    }
  });

  test("metrics tell of every shard's sweep", async () => {
    const shards = backend === "vitess" ? targets.vitess.status.shards : [""];
    const values = async (name: string) => {
      const text = await (await call(`${base}/metrics`)).text();
      const lines = [...text.matchAll(new RegExp(`^${name}\\{shard="([^"]*)".*\\} (.*)$`, "gm"))];
      return Object.fromEntries(lines.map(([, shard, value]) => [shard, Number(value)]));
    };
    expect(Object.keys(await values("kv_sweep_held"))).toEqual(shards);
    await until(async () => Object.values(await values("kv_sweep_held")).every((held) => held === 1), "all are swept");
    for (const name of ["kv_sweep_oldest_expired_seconds", "kv_sweep_backlog_rows"]) {
      expect(Object.keys(await values(name))).toEqual(shards);
    }
    await Promise.all(
      Array.from({ length: 50 }, () => call(`${freshKeyUrl(base)}?ttl_ms=1`, { method: "PUT", body: "v" })),
    );
    const sum = async (name: string) =>
      Object.values(await values(name)).reduce((all: number, each) => all + Number(each), 0);
    await until(async () => (await sum("kv_sweep_backlog_rows")) === 0, "nothing expired is left");
    expect(await sum("kv_sweep_oldest_expired_seconds")).toBe(0);
  });
});

describe("sweeping while others write", () => {
  const { url: base, databaseUrl, status } = targets.vitess;

  test.each([
    ["extended", "UPDATE entries SET expires_at = expires_at + 60000 WHERE `key` = ?"],
    ["persisted", "UPDATE entries SET expires_at = NULL WHERE `key` = ?"],
    ["overwritten", "UPDATE entries SET expires_at = NULL, value = 'new' WHERE `key` = ?"],
  ])("an entry that is just being %s, in time, is found expired, waited for, and kept", async (_, change) => {
    const url = freshKeyUrl(base);
    await call(`${url}?ttl_ms=300`, { method: "PUT", body: "old" });
    // A second session, to force the order: it holds the row's lock since before the expiry.
    const writer = await connectToPrimaryOf(url);
    const { expired } = storeAt(databaseUrl, "vitess");
    try {
      await writer.query("START TRANSACTION");
      await writer.query(change, [rowKey(url)]);
      await sleep(350);
      const key = entryKey("test", new URL(url).pathname.split("/")[4] as string);
      const found = await expired.find(1000, null, soon());
      expect(found.some((each) => each.key.equals(key))).toBe(true);
      const reclaimed = expired.reclaim([key], soon());
      expect(await Promise.race([reclaimed, sleep(200, "waiting")])).toBe("waiting");
      await writer.query("COMMIT");
      expect(await reclaimed).toBe(0);
      expect((await call(url)).status).toBe(200);
    } finally {
      writer.destroy();
    }
  });

  test("upserts with short TTLs and several sweeps of the same shards never deadlock", async () => {
    const before = await deadlocks(status);
    const shards = status.shards;
    const stores = [...shards, ...shards].map((shard) => storeAt(urlOfShard(databaseUrl, shard), "vitess"));
    const end = performance.now() + 5_000;
    const namespace = `busy${Date.now()}`;
    let reclaimed = 0;
    const sweepAll = stores.map(async ({ expired }) => {
      while (performance.now() < end) reclaimed += (await sweepStep(expired, BUDGET)).deleted;
    });
    const write = Array.from({ length: 64 }, async () => {
      while (performance.now() < end) {
        const name = Math.floor(Math.random() * 500);
        const answer = await call(`${base}/v1/kv/${namespace}/${name}?ttl_ms=20`, { method: "PUT", body: "v" });
        expect(answer.status).toBe(204);
      }
    });
    await Promise.all([...sweepAll, ...write]);
    expect(reclaimed).toBeGreaterThan(0);
    expect((await deadlocks(status)) - before).toBe(0);
  });

  test("expired keys are read from the index alone, rows are locked by their keys alone", async () => {
    const [primary] = status.tablets.filter(({ role }) => role === "primary");
    const connection = await connectToTablet(primary?.mysqlSocket as string);
    const explained: string[] = [];
    try {
      // What the store sends, caught on its way.
      const spy = {
        execute: async ({ sql, params }: { sql: string; params: unknown[] }) => {
          const [rows] = await connection.query<RowDataPacket[]>(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, params);
          explained.push(rows.map(({ type, key, Extra }) => `${type} ${key} ${Extra}`).join());
          return [];
        },
      };
      const expired = new ExpiredRows(spy as unknown as Database);
      await expired.find(100, null, soon());
      await expired.find(100, { key: entryKey("a", "b"), atMs: 5, ageMs: 0 }, soon());
      await expired.reclaim([entryKey("a", "b"), entryKey("a", "c")], soon());
    } finally {
      connection.destroy();
    }
    expect(explained[0]).toMatch(/^(range|index) entries_expires_at .*Using index/);
    expect(explained[1]).toMatch(/^(range|index) entries_expires_at .*Using index/);
    expect(explained[2]).toMatch(/^range PRIMARY Using where/);
  });

  test("each shard's lease is in the shard itself", async () => {
    const database = connect({ url: databaseUrl, backend: "vitess", connections: 1, queueLimit: 1 });
    databases.push(database);
    const shards = await watchShards(database, {
      backend: "vitess",
      keyspace: "kv",
      hash: (key) => Bun.hash.xxHash64(key),
    });
    expect(shards.names()).toEqual(status.shards);
    for (const shard of status.shards) {
      const key = sweepLeaseKey(shard, shards);
      const connection = await createConnection(urlOfShard(databaseUrl, shard));
      await until(async () => {
        const [rows] = await connection.query<RowDataPacket[]>("SELECT 1 FROM entries WHERE `key` = ?", [key]);
        return rows.length === 1;
      }, `the lease of ${shard} is there`);
      connection.destroy();
    }
  });
});

// In a database of their own, where no server sweeps unless a test starts it.
describe("by oneself", () => {
  const url = targets.mysql.databaseUrl.replace(/kv$/, "swept");
  let connection: Connection;

  beforeAll(async () => {
    const root = await createConnection({ socketPath: targets.mysql.socket, user: "root" });
    await root.query("CREATE DATABASE swept");
    await root.query("GRANT ALL ON swept.* TO kv@'127.0.0.1'");
    root.destroy();
    await migrate(url, await inspectBackend(url), new AbortController().signal);
    connection = await createConnection(url);
  });
  afterAll(() => connection.destroy());

  test("a step takes the oldest within its budget, and the next goes on behind it", async () => {
    const { store, expired } = storeAt(url, "mysql");
    for (let i = 0; i < 25; i++) await store.put(entryKey("steps", `k${i}`), entry("v", { atMs: 1000 + (i % 5) }));
    await store.put(entryKey("steps", "live"), entry("v", { afterMs: 600_000 }));
    await store.put(entryKey("steps", "for ever"), entry("v", "never"));
    expect(await expired.count(100, soon())).toBe(25);
    expect(await expired.count(10, soon())).toBe(10);
    const first = await sweepStep(expired, { rows: 12, ms: 5000 });
    expect(first).toMatchObject({ seen: 12, deleted: 12 });
    expect(first.oldestAgeMs).toBeGreaterThan(1e12);
    expect(first.last?.atMs).toBe(1002);
    // Behind it are only later ones, also where they expired in the same millisecond.
    const second = await sweepStep(expired, { rows: 12, ms: 5000 }, first.last);
    expect(second).toMatchObject({ seen: 12, deleted: 12 });
    expect(await sweepStep(expired, { rows: 12, ms: 5000 }, second.last)).toMatchObject({
      seen: 1,
      deleted: 1,
      last: null,
    });
    expect(await sweepStep(expired, { rows: 12, ms: 5000 })).toEqual({
      seen: 0,
      deleted: 0,
      oldestAgeMs: 0,
      spanMs: 0,
      last: null,
    });
    expect(await countRows(connection, "steps/")).toBe(2);
  });

  test("a server that is killed while it sweeps is replaced within two lease times", async () => {
    const LEASE_MS = 10_000;
    const environment = { DATABASE_URL: url };
    const servers = [await startServer(environment), await startServer(environment)];
    const holder = async (server: (typeof servers)[0]) => {
      const text = await (await call(`${server.url}/metrics`)).text();
      return /kv_sweep_held\{shard="",holder="([^"]+)"\} 1/.exec(text)?.[1];
    };
    try {
      let first: (typeof servers)[0] | undefined;
      await until(async () => {
        const names = await Promise.all(servers.map(holder));
        first = servers.find(({ pid }) => names.some((name) => name?.endsWith(`-${pid}`)));
        return first !== undefined;
      }, "one of them sweeps");
      first?.signal("SIGKILL");
      await first?.exited;
      const killed = performance.now();
      const second = servers.find((server) => server !== first) as (typeof servers)[0];
      const expired = await call(`${second.url}/v1/kv/orphan/k?ttl_ms=1`, { method: "PUT", body: "v" });
      expect(expired.status).toBe(204);
      await until(async () => (await countRows(connection, "orphan/")) === 0, "the other server reclaims");
      // With time for a slow machine.
      expect(performance.now() - killed).toBeLessThan(2 * LEASE_MS + 15_000);
      expect(await holder(second)).toEndWith(`-${second.pid}`);
    } finally {
      for (const server of servers) await server.stop();
    }
  });

  test.each([
    ["fast", 3_600_000],
    ["slow", -3_600_000],
  ])("a server whose clock is an hour %s reclaims what has expired and nothing else", async (clock, shiftMs) => {
    const environment = { DATABASE_URL: url, TEST_CLOCK_SHIFT_MS: String(shiftMs) };
    const server = await startServer(environment, SHIFTED_SERVER);
    try {
      const put = (name: string, query: string) =>
        call(`${server.url}/v1/kv/clock-${clock}/${name}${query}`, { method: "PUT", body: "v" });
      await put("half an hour", "?ttl=1800");
      await put("two hours", `?expires_at=${Math.floor(Date.now() / 1000) + 7200}`);
      await put("gone", "?ttl_ms=1");
      await put("long gone", `?expires_at=${Math.floor(Date.now() / 1000) - 1800}`);
      await until(async () => (await countRows(connection, `clock-${clock}/`)) <= 2, "expired rows are reclaimed");
      await sleep(1_000);
      expect(await countRows(connection, `clock-${clock}/`)).toBe(2);
    } finally {
      await server.stop();
    }
  });

  test("KV_SWEEP=false: a server serves and does not sweep", async () => {
    const server = await startServer({ DATABASE_URL: url, KV_SWEEP: "false" });
    try {
      await call(`${server.url}/v1/kv/unswept/k?ttl_ms=1`, { method: "PUT", body: "v" });
      await sleep(2_000);
      expect(await countRows(connection, "unswept/")).toBe(1);
    } finally {
      await server.stop();
    }
  });
});
