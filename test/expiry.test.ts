// An expired key is gone at its millisecond and never comes back, whoever is in the middle of what.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { versionOf } from "../src/store/version.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import {
  call,
  connectToPrimaryOf,
  freshKeyUrl,
  rowKey,
  SERVERS,
  SHIFTED_SERVER,
  targets,
  whileLocked,
} from "./targets.ts";

describe.each(SERVERS)("expiry on %s", (server) => {
  const base = targets[server].url;

  test("a key with 300 ms is readable before and never after, on two connections", async () => {
    const TTL_MS = 300;
    const url = freshKeyUrl(base);
    const sent = performance.now();
    await call(`${url}?ttl_ms=${TTL_MS}`, { method: "PUT", body: "v" });
    const acknowledged = performance.now();
    let goneAt = Number.POSITIVE_INFINITY;
    const poll = async () => {
      const head = await openConnection(url);
      let readable = 0;
      while (performance.now() < acknowledged + TTL_MS + 400) {
        const begun = performance.now();
        const mustBeGone = begun > Math.min(goneAt, acknowledged + TTL_MS);
        const status = await head.status();
        if (mustBeGone) expect(status).toBe(404);
        if (performance.now() < sent + TTL_MS) expect(status).toBe(200);
        if (status === 404) goneAt = Math.min(goneAt, performance.now());
        else readable += 1;
      }
      head.close();
      return readable;
    };
    const [first, second] = await Promise.all([poll(), poll()]);
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(0);
    expect((await call(url)).status).toBe(404);
  });

  test("every way to see a key agrees that it has expired", async () => {
    const url = freshKeyUrl(base);
    const tag = (await call(`${url}?ttl_ms=50`, { method: "PUT", body: "v" })).headers.get("ETag") ?? "";
    await sleep(60);
    const statuses = await Promise.all(
      [
        ["GET", ""],
        ["HEAD", ""],
        ["GET", "/ttl"],
        ["DELETE", "/ttl"],
      ].map(async ([method, suffix]) => (await call(`${url}${suffix}`, { method })).status),
    );
    expect(statuses).toEqual([404, 404, 404, 404]);
    expect((await call(`${url}/ttl`, { method: "PUT", body: '{"ttl":60}' })).status).toBe(404);
    expect((await call(url, { method: "PUT", headers: { "If-Match": tag }, body: "x" })).status).toBe(412);
    expect((await call(url, { method: "PUT", headers: { "If-None-Match": "*" }, body: "new" })).status).toBe(204);
  });

  test("a TTL that is extended in time keeps the key", async () => {
    const url = freshKeyUrl(base);
    await call(`${url}?ttl_ms=400`, { method: "PUT", body: "v" });
    expect((await call(`${url}/ttl`, { method: "PUT", body: '{"ttl":60}' })).status).toBe(200);
    await sleep(450);
    expect((await call(url)).status).toBe(200);
    expect((await call(`${url}/ttl`, { method: "DELETE" })).status).toBe(204);
    expect(await (await call(`${url}/ttl`)).json()).toEqual({ ttl_ms: null, expires_at: null });
  });
});

describe.each([
  ["an hour fast", 3_600_000],
  ["an hour slow", -3_600_000],
])("a server whose clock is %s", (_, shiftMs) => {
  const right = targets.vitess.url;
  let server: RunningServer;

  beforeAll(async () => {
    const environment = { DATABASE_URL: targets.vitess.databaseUrl, TEST_CLOCK_SHIFT_MS: String(shiftMs) };
    server = await startServer(environment, SHIFTED_SERVER);
    const [line] = server.output().match(/\{.*"serving".*\}/) ?? [];
    // What it logs shows that its clock is wrong.
    expect(Math.abs(JSON.parse(line as string).time - Date.now() - shiftMs)).toBeLessThan(60_000);
  });
  afterAll(() => server.stop());

  test("sets, reads and changes expiries like any other", async () => {
    const url = freshKeyUrl(right);
    const wrongUrl = url.replace(right, server.url);
    const instant = Math.floor(Date.now() / 1000) + 600;
    await call(`${wrongUrl}?ttl=60`, { method: "PUT", body: "v" });
    for (const each of [url, wrongUrl]) {
      const { ttl_ms, expires_at } = (await (await call(`${each}/ttl`)).json()) as {
        ttl_ms: number;
        expires_at: string;
      };
      expect(ttl_ms).toBeWithin(30_000, 60_001);
      expect(Math.abs(Date.parse(expires_at) - Date.now() - ttl_ms)).toBeLessThan(5_000);
    }
    await call(`${wrongUrl}/ttl`, { method: "PUT", body: JSON.stringify({ expires_at: instant }) });
    expect((await call(url)).headers.get("KV-Expires-At")).toBe(new Date(instant * 1000).toISOString());
    await call(`${wrongUrl}?ttl_ms=300`, { method: "PUT", body: "v" });
    expect((await call(wrongUrl)).status).toBe(200);
    await sleep(310);
    expect([(await call(wrongUrl)).status, (await call(url)).status]).toEqual([404, 404]);
  });
});

// Else it could come back, with a primary whose clock is behind that of the one that found it expired.
describe("whoever is told that an entry has expired, is told so after its row says that it is gone", () => {
  let server: RunningServer;
  let database: Connection;
  beforeAll(async () => {
    const DATABASE_URL = targets.vitess.databaseUrl;
    server = await startServer({ DATABASE_URL, KV_SWEEP: "false" });
    database = await createConnection(DATABASE_URL);
  });
  afterAll(async () => {
    database.destroy();
    await server.stop();
  });

  /** An entry that has expired and whose row is there: another server's sweep may take one before it is looked at. */
  async function expired(): Promise<{ url: string; etag: string }> {
    const url = freshKeyUrl(server.url);
    const answer = await call(`${url}?expires_at=1`, { method: "PUT", body: "v" });
    if (!(await hasEntry(url))) return expired();
    return { url, etag: answer.headers.get("ETag") as string };
  }

  async function hasEntry(url: string) {
    const [[row]] = await database.query<RowDataPacket[]>("SELECT version FROM entries WHERE `key` = ?", [rowKey(url)]);
    return row !== undefined && versionOf(row.version.toString("hex")) !== null;
  }

  test.each([
    ["GET", "", () => ({}), 404],
    ["HEAD", "", () => ({}), 404],
    ["GET", "/ttl", () => ({}), 404],
    ["PUT", "/ttl", () => ({ body: '{"ttl":60}' }), 404],
    ["DELETE", "/ttl", () => ({}), 404],
    ["PUT", "", (etag: string) => ({ body: "w", headers: { "If-Match": etag } }), 412],
    ["PUT", "", () => ({ body: "w", headers: { "If-Match": "*" } }), 412],
    ["DELETE", "", (etag: string) => ({ headers: { "If-Match": etag } }), 412],
  ] as const)("%s%s", async (method, path, init, status) => {
    const { url, etag } = await expired();
    expect((await call(`${url}${path}`, { method, ...init(etag) })).status).toBe(status);
    expect(await hasEntry(url)).toBe(false);
  });

  test("many GETs at once", async () => {
    const keys = await Promise.all(Array.from({ length: 30 }, expired));
    const answers = await Promise.all(keys.map(({ url }) => call(url)));
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 404));
    for (const { url } of keys) expect(await hasEntry(url)).toBe(false);
  });
});

// What follows forces an order of events, with a second session at the shard's MySQL that holds the row's lock.
describe("expiry while a writer is in the middle of it", () => {
  const base = targets.vitess.url;

  test("a read waits for an extension that was in time, instead of denying the key and then showing it", async () => {
    const url = freshKeyUrl(base);
    await call(`${url}?ttl_ms=400`, { method: "PUT", body: "v" });
    const writer = await connectToPrimaryOf(url);
    try {
      await writer.query("START TRANSACTION");
      await writer.query("UPDATE entries SET expires_at = expires_at + 60000 WHERE `key` = ?", [rowKey(url)]);
      await sleep(450);
      const reads = [call(url), call(url, { method: "HEAD" }), call(`${url}/ttl`)];
      expect(await Promise.race([...reads, sleep(300, "waiting")])).toBe("waiting");
      await writer.query("COMMIT");
      expect((await Promise.all(reads)).map((answer) => answer.status)).toEqual([200, 200, 200]);
    } finally {
      writer.destroy();
    }
  });

  // Each of these reaches the row's lock while the key lives and gets it only when the key has expired.
  test.each([
    ["PUT /ttl", 404],
    ["DELETE /ttl", 404],
    ["PUT If-Match", 412],
    ["DELETE If-Match", 412],
  ] as const)("%s that waited for the lock past the expiry finds no key", async (what, status) => {
    const url = freshKeyUrl(base);
    const put = await call(`${url}?ttl_ms=500`, { method: "PUT", body: "v" });
    const expires = performance.now() + 500;
    const tag = put.headers.get("ETag") ?? "";
    const holder = await connectToPrimaryOf(url);
    try {
      await holder.query("START TRANSACTION");
      await holder.query("SELECT 1 FROM entries WHERE `key` = ? FOR UPDATE", [rowKey(url)]);
      const write = {
        "PUT /ttl": () => call(`${url}/ttl`, { method: "PUT", body: '{"ttl":60}' }),
        "DELETE /ttl": () => call(`${url}/ttl`, { method: "DELETE" }),
        "PUT If-Match": () => call(url, { method: "PUT", headers: { "If-Match": tag }, body: "late" }),
        "DELETE If-Match": () => call(url, { method: "DELETE", headers: { "If-Match": tag } }),
      }[what]();
      await sleep(expires - performance.now() + 100);
      await holder.query("COMMIT");
      expect((await write).status).toBe(status);
      expect((await call(url)).status).toBe(404);
    } finally {
      holder.destroy();
    }
  });

  test("a create-only PUT of a key that lives is refused without waiting for whoever holds the lock", async () => {
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "v" });
    await whileLocked(url, async () => {
      const create = await call(url, { method: "PUT", headers: { "If-None-Match": "*" }, body: "new" });
      expect(create.status).toBe(412);
    });
  });
});

/** A connection of its own that asks for a key's HEAD, which has no body, again and again. */
async function openConnection(url: string) {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  return {
    status: async () => {
      socket.write(`HEAD ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
      let answer = "";
      while (!answer.endsWith("\r\n\r\n")) answer += (await once(socket, "data"))[0];
      return Number(answer.split(" ")[1]);
    },
    close: () => socket.destroy(),
  };
}
