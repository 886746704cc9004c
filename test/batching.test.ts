// Batches over real shards, and what depends on locks.

import { afterAll, describe, expect, test } from "bun:test";
import { batchingStore } from "../src/batching/batching.ts";
import { directStore } from "../src/batching/direct.ts";
import { entry, key, OPTIONS } from "../src/batching/fake-table.ts";
import { connect } from "../src/database/connect.ts";
import { watchShards } from "../src/database/shards.ts";
import type { Statement } from "../src/database/statements.ts";
import { Table } from "../src/database/table.ts";
import { Tables } from "../src/database/tables.ts";
import { urlOfShard } from "../src/database/url.ts";
import { targets, whileLocked } from "./targets.ts";

describe("over Vitess", async () => {
  const url = targets.vitess.databaseUrl;
  const options = { url, backend: "vitess", connections: 8, queueLimit: 100 } as const;
  const database = connect(options);
  const keyspace = targets.vitess.status.vtgates[0].database;
  const shards = await watchShards(database, {
    backend: "vitess",
    keyspace,
    hash: (bytes) => Bun.hash.xxHash64(bytes),
  });
  const tables = new Tables(options, database, shards);
  const direct = directStore(new Table(database), 10_000);
  const names = Array.from({ length: 50 }, (_, i) => `batched-${Date.now()}-${i}`);
  afterAll(() => Promise.all([database.close(), tables.close()]));

  const batching = (shardOf = shards.shardOf) =>
    batchingStore({ ...shards, shardOf, tableAt: (shard) => tables.at(shard), ping: async () => {} }, OPTIONS);

  test("the map of shards is vtgate's own", async () => {
    await Promise.all(names.map((name) => direct.put(key(name), entry(name))));
    for (const shard of targets.vitess.status.shards) {
      const there = connect({ ...options, url: urlOfShard(url, shard) });
      const found = await new Table(there).read("infos", names.map(key), performance.now() + 5_000);
      const expected = names.filter((name) => shards.shardOf(key(name)) === shard).map((name) => `ns/${name}`);
      expect([...found.keys()].toSorted()).toEqual(expected.toSorted());
      await there.close();
    }
  });

  test("a hash that is not the keyspace's own is noticed before a row is written to the wrong shard", async () => {
    const other = watchShards(database, { backend: "vitess", keyspace, hash: (bytes) => Bun.hash.xxHash64(bytes, 1n) });
    await expect(other).rejects.toThrow("xxhash");
  });

  test("a shard that is not there takes nothing, and its calls go to the one that is", async () => {
    let isStale = true;
    const store = batching((each) => (isStale ? "-20" : shards.shardOf(each)));
    const writes = names.map((name) => store.put(key(name), entry(`new ${name}`), { ifMatch: "*" }));
    setTimeout(() => {
      isStale = false;
    }, 300);
    const versions = await Promise.all(writes);
    const found = await Promise.all(names.map((name) => store.get(key(name))));
    expect(found.map((each) => each?.version)).toEqual(versions as string[]);
    expect(found.map((each) => each?.value.toString())).toEqual(names.map((name) => `new ${name}`));
  });

  test("rows of several shards at once are told by their two clocks, in whichever order they come", async () => {
    const row = { id: Buffer.from("ns/a"), version: Buffer.alloc(16), expires_at: null, clock: null };
    const clock = { id: null, version: null, expires_at: null, clock: 1 };
    for (const rows of [
      [row, clock, clock],
      [clock, row, clock],
      [row, clock, row, clock],
    ]) {
      const scattered = { execute: async () => rows as never, close: async () => {} };
      const known = new Table(scattered).known([key("a")], undefined, performance.now() + 1_000);
      await expect(known).rejects.toMatchObject({ code: "unavailable" });
    }
  });

  test("a call by itself, as on Workers, is one round trip; two, where it has to know the row and changes it", async () => {
    let trips = 0;
    const counted = {
      execute: <T>(statement: Statement, timeoutMs: number) => {
        trips += 1;
        return database.execute<T>(statement, timeoutMs);
      },
      close: async () => {},
    };
    const store = directStore(new Table(counted), 10_000);
    const tripsOf = async (call: () => Promise<unknown>) => {
      const before = trips;
      await call();
      return trips - before;
    };
    const each = key(`trips-${Date.now()}`);
    const minute = { afterMs: 60_000 };
    expect({
      create: await tripsOf(() => store.put(each, entry("v"), { ifNoneMatch: "*" })),
      "create, taken": await tripsOf(() => store.put(each, entry("v"), { ifNoneMatch: "*" })),
      get: await tripsOf(() => store.get(each)),
      head: await tripsOf(() => store.head(each)),
      put: await tripsOf(() => store.put(each, entry("v"))),
      swap: await tripsOf(() => store.put(each, entry("w"), { ifMatch: "*" })),
      "swap, of another": await tripsOf(() => store.put(each, entry("w"), { ifMatch: [] })),
      expire: await tripsOf(() => store.expire(each, minute)),
      "put that keeps the TTL": await tripsOf(() => store.put(each, { ...entry("v"), expiry: "keep" })),
      persist: await tripsOf(() => store.persist(each)),
      "delete on a condition": await tripsOf(() => store.delete(each, "*")),
      delete: await tripsOf(() => store.delete(each)),
    }).toEqual({
      ...{ create: 2, "create, taken": 1, get: 1, head: 1, put: 1, swap: 2, "swap, of another": 1, expire: 2 },
      ...{ "put that keeps the TTL": 2, persist: 2, "delete on a condition": 2, delete: 1 },
    });
  });

  test("a read that must wait for a writer keeps no other read waiting", async () => {
    const store = batching();
    const name = `locked-${Date.now()}`;
    const gone = `gone-${name}`;
    for (const each of [name, gone]) await store.put(key(each), { ...entry("v"), expiry: { atMs: 1000 } });
    await whileLocked(`${targets.vitess.url}/v1/kv/ns/${name}`, async (unlock) => {
      const locked = store.get(key(name));
      const others = names.map((each) => store.get(key(each)));
      expect(await Promise.race([locked, Promise.all(others).then(() => "others")])).toBe("others");
      await unlock();
      expect(await locked).toBe(null);
      expect(await store.get(key(gone))).toBe(null);
    });
  });
});
