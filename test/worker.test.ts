// The Worker, in Cloudflare's own runtime: its connections, its cron, what it prints, and how it starts and ends here. What
// it answers is tested together with the servers.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RowDataPacket } from "mysql2/promise";
import { directStore } from "../src/batching/direct.ts";
import { connect as connectDatabase } from "../src/database/connect.ts";
import { watchShards } from "../src/database/shards.ts";
import { Table } from "../src/database/table.ts";
import { portInUse } from "../src/port.ts";
import { leaseKey } from "../src/store/store.ts";
import { Lease } from "../src/sweep/lease.ts";
import { sweepLeaseKey } from "../src/sweep/shards.ts";
import { launchServer, type RunningServer, startServer, WORKER } from "../vitess/run/server-process.ts";
import { startWorkerd } from "../vitess/run/workerd.ts";
import { PROBLEMS_DIR } from "./folders.ts";
import { residentMb } from "./memory.ts";
import { type Way, wayTo } from "./proxy.ts";
import { call, connectToTablet, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";

const { databaseUrl, status } = targets.vitess;

/** By then a server has tried to renew its lease, a third of which is 3.3 s, and noticed that another has it. */
const NOTICED_MS = 7_000;
const RENEW_MS = 3_000;

describe("a Worker", () => {
  let way: Way;
  let worker: RunningServer;
  beforeAll(async () => {
    way = await wayTo(databaseUrl);
    worker = await startServer({ DATABASE_URL: way.url, KV_DEADLINE_MS: "5000" }, WORKER);
  });
  afterAll(async () => {
    await worker.stop();
    await way.close();
  });

  const allClosed = () => until(() => way.open.size === 0, "all connections are closed");
  const connectionsFor = async (work: () => Promise<unknown>) => {
    await allClosed();
    const before = way.accepted;
    await work();
    await allClosed();
    return way.accepted - before;
  };
  const outcome = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];

  test("has one connection for each invocation that asks the database, closed after its answer", async () => {
    const url = freshKeyUrl(worker.url);
    expect(await connectionsFor(() => call(url, { method: "PUT", body: "v" }))).toBe(1);
    expect(await connectionsFor(() => call(url))).toBe(1);
    expect(await connectionsFor(() => Promise.all(Array.from({ length: 10 }, () => call(url))))).toBe(10);
    expect(await connectionsFor(() => call(`${worker.url}/cdn-cgi/handler/scheduled`))).toBe(1);
    await call(`${url}?expires_at=1`, { method: "PUT", body: "v" });
    // Whose row, if it is there still, is read twice.
    expect(await connectionsFor(() => call(url))).toBe(1);
  });

  test("has none for what needs no database", async () => {
    const invalid = `${worker.url}/v1/kv/test/${"k".repeat(513)}`;
    expect(await connectionsFor(() => call(`${worker.url}/healthz`))).toBe(0);
    expect(await connectionsFor(() => call(invalid, { method: "PUT", body: "v" }))).toBe(0);
  });

  test("finishes a write, and closes its connection, when the client goes away", async () => {
    const url = freshKeyUrl(worker.url);
    await call(url, { method: "PUT", body: "old" });
    await whileLocked(url, async (unlock, awaited) => {
      const client = new AbortController();
      const put = call(url, { method: "PUT", body: "new", signal: client.signal }).catch((error) => error.name);
      await awaited();
      client.abort();
      expect(await put).toBe("AbortError");
      await unlock();
    });
    await allClosed();
    expect(await (await call(url)).text()).toBe("new");
  });

  test("says so when a write is not answered in time, and closes that connection too", async () => {
    const url = freshKeyUrl(worker.url);
    await call(url, { method: "PUT", body: "old" });
    await whileLocked(url, async () => {
      expect(await outcome(await call(url, { method: "PUT", body: "new" }))).toEqual([503, "outcome_unknown"]);
      await allClosed();
    });
  });

  test("outlives a database that can't be reached", async () => {
    const url = freshKeyUrl(worker.url);
    await call(url, { method: "PUT", body: "v" });
    await way.close();
    expect(await outcome(await call(url, { method: "DELETE" }))).toEqual([503, "unavailable"]);
    expect((await call(`${worker.url}/readyz`)).status).toBe(503);
    expect((await call(`${worker.url}/healthz`)).status).toBe(200);
    way = await wayTo(databaseUrl, Number(new URL(way.url).port));
    expect(await (await call(url)).text()).toBe("v");
  });
});

test("an invocation leaves nothing behind in its isolate", async () => {
  const worker = await startWorkerd(databaseUrl);
  try {
    const put = () => call(freshKeyUrl(worker.url), { method: "PUT", body: "v" });
    const putMany = async (many: number) => {
      for (let i = 0; i < many; i += 10) await Promise.all(Array.from({ length: 10 }, put));
      return residentMb(worker.pid);
    };
    const before = await putMany(200);
    // What is kept of an invocation is a connection with its buffers: 400 kB, and more than this together.
    expect((await putMany(1_000)) - before).toBeLessThan(200);
  } finally {
    await worker.stop();
  }
});

describe("a Worker's cron", () => {
  const database = connectDatabase({ url: databaseUrl, backend: "vitess", connections: 2, queueLimit: 100 });
  afterAll(() => database.close());
  const cron = () => call(`${targets.worker.url}/cdn-cgi/handler/scheduled`);

  test("reclaims what has expired on every shard, and nothing else", async () => {
    const namespace = `cron${Date.now()}`;
    const url = (name: string) => `${targets.worker.url}/v1/kv/${namespace}/${name}`;
    const put = (name: string, query = "") => call(url(name) + query, { method: "PUT", body: "v" });
    const kept = ["live", "lasting", "extended", "persisted", "overwritten"];
    await withoutServersSweeping(async () => {
      await Promise.all([
        ...Array.from({ length: 100 }, (_, i) => put(`short-${i}`, "?ttl_ms=500")),
        put("live"),
        put("lasting", "?ttl=600"),
        ...["extended", "persisted", "overwritten"].map((name) => put(name, "?ttl_ms=3000")),
      ]);
      await call(`${url("extended")}/ttl`, { method: "PUT", body: '{"ttl":600}' });
      await call(`${url("persisted")}/ttl`, { method: "DELETE" });
      await put("overwritten");
      await sleep(3_000);
      for (const rows of await rowsOnShards(namespace)) expect(rows).toContainEqual(expect.stringContaining("short-"));
      expect((await cron()).status).toBe(200);
      expect((await rowsOnShards(namespace)).flat().toSorted()).toEqual(kept.toSorted());
    });
    for (const name of kept) expect((await call(url(name))).status).toBe(200);
  });

  test("leaves the sweep to another that is at it", async () => {
    const store = directStore(new Table(database), 10_000);
    const lease = new Lease(store, leaseKey("sweep"), { holder: "test", ttlMs: 60_000 });
    const namespace = `cron-held${Date.now()}`;
    await withoutServersSweeping(async () => {
      expect(await lease.take()).toBe(true);
      await call(`${targets.worker.url}/v1/kv/${namespace}/k?ttl_ms=1`, { method: "PUT", body: "v" });
      await sleep(50);
      expect((await cron()).status).toBe(200);
      expect((await rowsOnShards(namespace)).flat()).toEqual(["k"]);
      await lease.release();
      expect((await cron()).status).toBe(200);
      expect((await rowsOnShards(namespace)).flat()).toEqual([]);
    });
  });

  /** Runs `work` while the suite's own servers believe that another has every shard's sweep. */
  async function withoutServersSweeping(work: () => Promise<void>) {
    const shards = await watchShards(database, {
      backend: "vitess",
      keyspace: "kv",
      hash: (key) => Bun.hash.xxHash64(key),
    });
    const store = directStore(new Table(database), 10_000);
    const keys = status.shards.map((shard) => sweepLeaseKey(shard, shards));
    const lease = {
      value: Buffer.from("another"),
      contentType: "text/plain",
      metadata: null,
      expiry: { afterMs: 60_000 },
    };
    const renew = () => Promise.all(keys.map((key) => store.put(key, lease)));
    // One that is not renewed is taken over.
    const renewing = setInterval(() => renew().catch(() => {}), RENEW_MS);
    try {
      await renew();
      await sleep(NOTICED_MS);
      await work();
    } finally {
      clearInterval(renewing);
      for (const key of keys) await store.delete(key);
    }
  }

  /** The names that a namespace's rows have, for each shard. */
  function rowsOnShards(namespace: string): Promise<string[][]> {
    const primaries = status.tablets.filter(({ role }) => role === "primary");
    return Promise.all(
      primaries.map(async ({ mysqlSocket }) => {
        const connection = await connectToTablet(mysqlSocket);
        const select = "SELECT `key` FROM entries WHERE `key` LIKE ?";
        const [rows] = await connection.query<RowDataPacket[]>(select, [`${namespace}/%`]);
        connection.destroy();
        return rows.map(({ key }) => String(key).slice(namespace.length + 1));
      }),
    );
  }
});

describe("npm run worker", () => {
  test("ends with everything that it has started, at SIGTERM", async () => {
    const worker = await startServer({ DATABASE_URL: databaseUrl }, WORKER);
    await worker.stop();
    expect(await worker.exited).toBe(0);
    expect(await isServed(worker)).toBe(false);
  });

  test("leaves nothing behind when it is killed", async () => {
    const worker = await startServer({ DATABASE_URL: databaseUrl }, WORKER);
    worker.signal("SIGKILL");
    await worker.exited;
    await until(async () => !(await isServed(worker)), "the runtime has ended too");
  });

  const isServed = ({ url }: RunningServer) => portInUse("127.0.0.1", Number(new URL(url).port));

  test("prints neither keys nor values", async () => {
    const worker = await startServer({ DATABASE_URL: databaseUrl, LOG_LEVEL: "debug" }, WORKER);
    const secret = `secret${Date.now()}`;
    const url = `${worker.url}/v1/kv/test/${secret}`;
    await call(url, { method: "PUT", body: `${secret}-value`, headers: { "KV-Metadata": `"${secret}"` } });
    await call(`${url}?ttl=${secret}`, { method: "PUT", body: secret });
    await call(`${url}/ttl`, { method: "PUT", body: secret });
    await call(url);
    await call(`${url}/${secret}`);
    // What workerd can't make a URL of, it would tell.
    for (const target of [`http://h/v1/kv/test/${secret}`, `v1/kv/test/${secret}`]) await sendTarget(worker, target);
    await until(() => worker.output().includes("invalid URL"), "it complains");
    await worker.stop();
    expect(worker.output()).toContain('"route":"/v1/kv/:ns/:key"');
    expect(worker.output()).not.toContain(secret);
    expect(worker.output()).not.toContain(new URL(databaseUrl).password);
  });

  /** Sends a request of which no client would think, and waits for its end. */
  async function sendTarget({ url }: RunningServer, target: string) {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`).resume();
    await once(socket, "close");
  }

  test("takes a port of its own where an empty variable names none", async () => {
    // Unless something else is there already.
    const other = createServer()
      .on("error", () => {})
      .listen(8788, "127.0.0.1");
    await until(() => portInUse("127.0.0.1", 8788), "the port is taken");
    const { output, exited } = launchServer({ DATABASE_URL: databaseUrl, PORT: "" }, WORKER);
    expect(await exited).toBe(1);
    expect(output()).toContain("Port 8788");
    other.close();
  });

  test.each([
    ["a port that is taken", { PORT: new URL(targets.vitess.url).port, DATABASE_URL: databaseUrl }, /in use/],
    ["a variable that is wrong", { KV_DEADLINE_MS: "soon", DATABASE_URL: databaseUrl }, /KV_DEADLINE_MS/],
    ["a database whose sessions begin otherwise", { DATABASE_URL: targets.mysql.databaseUrl }, /time zone/],
    ["no cluster", { KV_DATA_DIR: PROBLEMS_DIR }, /No cluster runs in .*cluster -- up/],
  ] as [string, Record<string, string>, RegExp][])(
    "refuses to start with %s and says why",
    async (_, environment, reason) => {
      const { output, exited } = launchServer({ PORT: "0", ...environment }, WORKER);
      expect(await exited).toBe(1);
      expect(output()).toMatch(reason);
      expect(output()).not.toMatch(/\n\s+at /);
    },
  );
});
