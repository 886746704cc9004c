// The server as a process: how it starts, refuses to, answers while the database does not, and ends.

import { expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mysql2/promise";
import { launchServer, type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { call, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;
/** How long a full server may take until it is not, or the other way round. */
const ROOM_MS = 10_000;

async function withServer(environment: Record<string, string>, work: (server: RunningServer) => Promise<void>) {
  const server = await startServer({ DATABASE_URL, ...environment });
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "on %s it finishes what is in flight and takes nothing new",
  async (signal) => {
    const server = await startServer({ DATABASE_URL });
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "old" });
    await whileLocked(url, async (unlock) => {
      const inFlight = call(url, { method: "PUT", body: "new" });
      await sleep(200);
      server.signal(signal);
      await sleep(200);
      await expect(call(`${server.url}/healthz`, { headers: { Connection: "close" } })).rejects.toThrow();
      await unlock();
      expect((await inFlight).status).toBe(204);
    });
    expect(await server.exited).toBe(0);
    expect(await (await call(url.replace(server.url, targets.vitess.url))).text()).toBe("new");
  },
);

test("at SIGTERM it has clients leave before it takes nothing new", async () => {
  const server = await startServer({ DATABASE_URL, KV_LEAVE_MS: "3000" });
  const url = freshKeyUrl(server.url);
  const before = await call(url, { method: "PUT", body: "v" });
  expect([before.status, before.headers.get("Connection")]).toEqual([204, null]);
  server.signal("SIGTERM");
  await until(async () => (await call(`${server.url}/readyz`)).status === 503, "it says that it leaves");
  const after = await call(url);
  expect([await after.text(), after.headers.get("Connection")]).toEqual(["v", "close"]);
  expect(await server.exited).toBe(0);
});

test("idle keep-alive connections do not hold up its end", async () => {
  const server = await startServer({ DATABASE_URL, KV_DRAIN_MS: "20000" });
  const { port } = new URL(server.url);
  const idle = connect(Number(port), "127.0.0.1");
  idle.on("error", () => {});
  idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await new Promise((resolve) => idle.once("data", resolve));
  const begun = performance.now();
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - begun).toBeLessThan(15_000);
  idle.destroy();
});

test("a database that does not answer does not hold up its end", async () => {
  const server = await startServer({ DATABASE_URL, KV_DRAIN_MS: "300" });
  const url = freshKeyUrl(server.url);
  await call(url, { method: "PUT", body: "old" });
  await whileLocked(url, async () => {
    const lost = call(url, { method: "PUT", body: "new" }).catch(() => "cut off");
    await sleep(200);
    const begun = performance.now();
    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(8_000);
    expect(await lost).toBe("cut off");
  });
});

test("a write that the database does not answer in time is reported as unknown", async () => {
  await withServer({ KV_DEADLINE_MS: "700" }, async (server) => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "old" });
    await whileLocked(url, async () => {
      const answer = await call(url, { method: "PUT", body: "new" });
      expect([answer.status, await code(answer)]).toEqual([503, "outcome_unknown"]);
      // A read needs no lock.
      expect(await (await call(url)).text()).toBe("old");
    });
  });
});

test("while vtgate does not answer, reads and readiness fail in time, liveness does not", async () => {
  await withServer({ KV_DEADLINE_MS: "700" }, async (server) => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    const vtgate = targets.vitess.status.vtgates[0].pid as number;
    process.kill(vtgate, "SIGSTOP");
    try {
      const read = await call(url);
      expect([read.status, await code(read), read.headers.get("Retry-After")]).toEqual([503, "unavailable", "1"]);
      expect((await call(`${server.url}/readyz`)).status).toBe(503);
      expect((await call(`${server.url}/healthz`)).status).toBe(200);
    } finally {
      process.kill(vtgate, "SIGCONT");
    }
    expect(await (await call(url)).text()).toBe("v");
    await until(async () => (await call(`${server.url}/readyz`)).status === 200, "it is ready again");
  });
});

test("more calls than may wait are turned away at once", async () => {
  await withServer({ KV_QUEUE_CALLS: "2" }, async (server) => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    await whileLocked(url, async (unlock) => {
      const writes = Array.from({ length: 10 }, () => call(url, { method: "PUT", body: "w" }));
      const first = await Promise.race(writes);
      expect([first.status, await code(first), first.headers.get("Retry-After")]).toEqual([503, "overloaded", "1"]);
      await unlock();
      const statuses = (await Promise.all(writes)).map((answer) => answer.status).sort();
      expect(statuses).toEqual([204, 204, ...Array(8).fill(503)]);
    });
  });
});

test("clients that are slow to send, don't read their answer or vanish take nobody's place", async () => {
  // Room for one call at the database and three in all; there are ten clients of each kind.
  await withServer({ KV_CONNECTIONS: "1", KV_QUEUE_CALLS: "3" }, async (server) => {
    const url = freshKeyUrl(server.url);
    const { host, hostname, pathname, port } = new URL(url);
    const head = (method: string) => `${method} ${pathname} HTTP/1.1\r\nHost: ${host}\r\n`;
    await call(url, { method: "PUT", body: "x".repeat(1024 * 1024) });
    const sockets = await Promise.all(
      [`${head("PUT")}Content-Length: 100\r\n\r\nhalf`, `${head("PUT")}Content-`, `${head("GET")}\r\n`].flatMap(
        (text) =>
          Array.from({ length: 10 }, async () => {
            const socket = connect(Number(port), hostname).pause();
            await once(socket, "connect");
            socket.write(text);
            return socket;
          }),
      ),
    );
    try {
      for (let i = 0; i < 20; i++) {
        // Half of those who wait for an answer go without it.
        if (i === 10) for (const socket of sockets.slice(-5)) socket.resetAndDestroy();
        let status = 0;
        await until(
          async () => {
            ({ status } = await call(freshKeyUrl(server.url), { method: "PUT", body: "v" }));
            return status !== 503;
          },
          "there is room again",
          ROOM_MS,
        );
        expect(status).toBe(204);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});

test("calls that are turned away are counted in the log, not listed", async () => {
  const server = await startServer({ DATABASE_URL, KV_QUEUE_CALLS: "1" });
  const url = freshKeyUrl(server.url);
  await call(url, { method: "PUT", body: "v" });
  await whileLocked(url, async (unlock) => {
    const held = call(url, { method: "PUT", body: "w" });
    const turnedAway = () => call(url);
    await until(async () => (await turnedAway()).status === 503, "it is full", ROOM_MS);
    for (let i = 0; i < 20; i++) await turnedAway();
    await unlock();
    await held;
  });
  await server.stop();
  const lines = server
    .output()
    .split("\n")
    .filter((line) => line.includes("turned away"));
  expect(lines.length).toBeGreaterThanOrEqual(1);
  expect(lines.length).toBeLessThan(20);
});

test("neither keys nor values are in its logs", async () => {
  const server = await startServer({ DATABASE_URL, LOG_LEVEL: "trace", KV_DEADLINE_MS: "700" });
  const secret = `secret${Date.now()}`;
  const url = `${server.url}/v1/kv/test/${secret}`;
  const body = `${secret}-value`;
  await call(url, { method: "PUT", headers: { "KV-Metadata": `"${secret}"`, "If-Match": `"${secret}"` }, body });
  await call(url, { method: "PUT", body });
  await call(`${url}?ttl=${secret}`, { method: "PUT", body });
  await call(`${url}/ttl`, { method: "PUT", body: secret });
  await call(`${url}/${secret}`);
  await whileLocked(url, async () => {
    expect((await call(url, { method: "PUT", body })).status).toBe(503);
  });
  await server.stop();
  expect(server.output()).toContain("outcome_unknown");
  expect(server.output()).toContain('"route":"/v1/kv/:ns/:key"');
  expect(server.output()).not.toContain(secret);
  expect(server.output()).not.toContain(Buffer.from(secret).toString("hex"));
});

test.each([
  [{ PORT: "http" }, /PORT/],
  [{ PORT: "0x50" }, /PORT/],
  [{ KV_MAX_VALUE_BYTES: "9000000" }, /KV_MAX_VALUE_BYTES/],
  [{ KV_DEADLINE_MS: "0" }, /KV_DEADLINE_MS/],
  [{ DATABASE_URL: "postgres://user:hunter2@127.0.0.1/kv" }, /DATABASE_URL/],
  [{ DATABASE_URL: "mysql://kv:hunter2@127.0.0.1:1/kv" }, /ECONNREFUSED/],
  [{ DATABASE_URL: "mysql://kv:hunter2@127.0.0.1:1/kv,mysql://kv:hunter2@127.0.0.1:2/other" }, /DATABASE_URL/],
  [{ PORT: new URL(targets.vitess.url).port }, /in use/],
] as [Record<string, string>, RegExp][])("it refuses to start with %j and says why", async (environment, reason) => {
  const { output, exited } = launchServer({ DATABASE_URL, PORT: "0", ...environment });
  expect(await exited).toBe(1);
  expect(output()).toMatch(reason);
  expect(output()).not.toContain("hunter2");
  expect(output()).not.toMatch(/\n\s+at /);
});

test("it needs a database, and says what starts one", async () => {
  const { output, exited } = launchServer({ PORT: "0" });
  expect(await exited).toBe(1);
  expect(output()).toBe("DATABASE_URL: must name a database; 'npm start' starts a cluster and serves over that.\n");
});

test("it serves as long as one of its database's addresses answers", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const at = (other: string | number) => Object.assign(new URL(DATABASE_URL), { port: String(other) }).href;
  try {
    await withServer({ DATABASE_URL: [at(1), DATABASE_URL, at(port)].join(), KV_CONNECTIONS: "4" }, async (server) => {
      const urls = Array.from({ length: 40 }, () => freshKeyUrl(server.url));
      const statuses = await Promise.all(urls.map((url) => call(url, { method: "PUT", body: "v" })));
      expect(statuses.map(({ status }) => status)).toEqual(urls.map(() => 204));
      for (const url of urls) expect(await (await call(url)).text()).toBe("v");
    });
  } finally {
    silent.close();
  }
});

test("the largest value it can be configured for goes through Vitess", async () => {
  await withServer({ KV_MAX_VALUE_BYTES: String(8 * 1024 * 1024) }, async (server) => {
    const url = freshKeyUrl(server.url);
    const value = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef'\\\0\xff", "latin1");
    expect((await call(url, { method: "PUT", body: value })).status).toBe(204);
    expect(Buffer.from(await (await call(url)).arrayBuffer()).equals(value)).toBe(true);
    expect((await call(url, { method: "PUT", body: Buffer.concat([value, value.subarray(0, 1)]) })).status).toBe(413);
    await call(url, { method: "DELETE" });
  });
});

test("reads whose values together are too large for one message are all answered", async () => {
  const VALUE_BYTES = 8 * 1024 * 1024;
  await withServer({ KV_MAX_VALUE_BYTES: String(VALUE_BYTES) }, async (server) => {
    // On one of two shards are at least 12 of them, 96 MiB; a message holds 64 MiB.
    const urls = Array.from({ length: 24 }, () => freshKeyUrl(server.url));
    for (const url of urls)
      expect((await call(url, { method: "PUT", body: Buffer.alloc(VALUE_BYTES) })).status).toBe(204);
    const answers = await Promise.all(
      urls.map(async (url) => {
        const answer = await call(url);
        return [answer.status, (await answer.arrayBuffer()).byteLength];
      }),
    );
    expect(answers).toEqual(urls.map(() => [200, VALUE_BYTES]));
    await Promise.all(urls.map((url) => call(url, { method: "DELETE" })));
  });
});

test.each(["FOUND_ROWS", "-FOUND_ROWS"])(
  "a condition that fails is told whatever counts as affected (%s)",
  async (flag) => {
    await withServer({ DATABASE_URL: `${DATABASE_URL}?flags=${flag}` }, async (server) => {
      const url = freshKeyUrl(server.url);
      const send = async (suffix: string, body: string, headers = {}) =>
        (await call(`${url}${suffix}`, { method: "PUT", body, headers })).status;
      expect(await send("?ttl=60", "v", { "If-None-Match": "*" })).toBe(204);
      expect(await send("?ttl=60", "v", { "If-None-Match": "*" })).toBe(412);
      for (const [condition, ttl] of Object.entries({ nx: 90, gt: 30, lt: 90 })) {
        expect(await send(`/ttl?if=${condition}`, JSON.stringify({ ttl }))).toBe(412);
      }
      expect(await send("/ttl?if=gt", '{"ttl":90}')).toBe(200);
      expect(await send("/ttl?if=lt", '{"ttl":30}')).toBe(200);
    });
  },
);

/** Runs `work` with the URL of an empty database on the plain MySQL, and a session that may do anything to it. */
async function withEmptyDatabase(work: (url: string, root: Connection) => Promise<void>) {
  const root = await createConnection({ socketPath: targets.mysql.socket, user: "root" });
  try {
    await root.query("CREATE DATABASE scratch");
    await root.query("GRANT ALL ON scratch.* TO kv@'127.0.0.1'");
    await root.query("USE scratch");
    await work(targets.mysql.databaseUrl.replace(/kv$/, "scratch"), root);
  } finally {
    await root.query("DROP DATABASE scratch");
    root.destroy();
  }
}

test("servers that start together on an empty database migrate it once", async () => {
  await withEmptyDatabase(async (url, root) => {
    const servers = await Promise.all(Array.from({ length: 3 }, () => startServer({ DATABASE_URL: url })));
    await Promise.all(servers.map((server) => server.stop()));
    const [rows] = await root.query("SELECT COUNT(*) AS n FROM __drizzle_migrations");
    expect(rows).toEqual([{ n: 2 }] as never);
  });
});

test("a migration that was interrupted between two statements goes on", async () => {
  await withEmptyDatabase(async (url, root) => {
    const migration = readFileSync(join(import.meta.dirname, "../drizzle/0000_entries.sql"), "utf8");
    await root.query(migration.split("--> statement-breakpoint")[0] as string);
    const server = await startServer({ DATABASE_URL: url });
    expect((await call(freshKeyUrl(server.url), { method: "PUT", body: "v" })).status).toBe(204);
    await server.stop();
    const [indexes] = await root.query("SHOW INDEX FROM entries WHERE Key_name = 'entries_expires_at'");
    expect(indexes).toHaveLength(1);
  });
});

test("KV_TTL_JITTER shortens the TTLs of plain PUTs, each by its own part, and nothing else", async () => {
  await withServer({ KV_TTL_JITTER: "0.5" }, async ({ url: base }) => {
    const TTL_MS = 1_000_000;
    const ttlOf = async (url: string) => ((await (await call(`${url}/ttl`)).json()) as { ttl_ms: number }).ttl_ms;
    const ttlAfterPut = async (query: string, headers: Record<string, string> = {}) => {
      const url = freshKeyUrl(base);
      await call(`${url}${query}`, { method: "PUT", body: "v", headers });
      return await ttlOf(url);
    };
    const ttls = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ttlAfterPut(i % 2 === 0 ? `?ttl=${TTL_MS / 1000}` : `?ttl_ms=${TTL_MS}`)),
    );
    for (const ttl of ttls) expect(ttl).toBeWithin(TTL_MS / 2 - 30_000, TTL_MS + 1);
    expect(Math.max(...ttls) - Math.min(...ttls)).toBeGreaterThan(TTL_MS / 10);
    // A lock's TTL is its holder's to rely on, and an instant is an instant.
    expect(await ttlAfterPut(`?ttl_ms=${TTL_MS}`, { "If-None-Match": "*" })).toBeGreaterThan(TTL_MS - 30_000);
    const instant = Math.floor(Date.now() / 1000) + 1000;
    expect(await ttlAfterPut(`?expires_at=${instant}`)).toBeGreaterThan(TTL_MS - 30_000);
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "v" });
    await call(`${url}/ttl`, { method: "PUT", body: JSON.stringify({ ttl_ms: TTL_MS }) });
    expect(await ttlOf(url)).toBeGreaterThan(TTL_MS - 30_000);
    expect(await ttlAfterPut("?ttl_ms=1")).toBeUndefined();
  });
});

async function code(answer: Response) {
  return ((await answer.json()) as { code: string }).code;
}
