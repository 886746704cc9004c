// MySQL servers that are configured wrongly, one setting at a time: over each the store either works, or refuses to start
// in a sentence that names the setting.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mysql2/promise";
import { launchServer, type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { WRONG_DIR } from "./folders.ts";
import { type PlainMysql, startMariaDb, startPlainMysql } from "./mysqld.ts";
import { call, freshKeyUrl } from "./targets.ts";

const PORTS = { mysql: 17910, mariadb: 17911 };
const REFUSED_WITHIN_MS = 5_000;
/** What an escape, a quote or a character set could change. */
const NASTY = Buffer.from("\\' \" \\n \u0000 \\\\ é 🙂 ` -- /* \\%_ \u001a");
const NASTY_METADATA = '{"a":"\\\\ \' \\" \\u00e9"}';

const over = new AbortController();
let mysql: PlainMysql;
let root: Connection;

async function connectRoot() {
  root = await createConnection({ socketPath: mysql.socket, user: "root", multipleStatements: true });
}

beforeAll(async () => {
  rmSync(WRONG_DIR, { recursive: true, force: true });
  mysql = await startPlainMysql(join(WRONG_DIR, "mysql"), PORTS.mysql, over.signal);
  await connectRoot();
}, 120_000);
afterAll(async () => {
  over.abort();
  root?.destroy();
  await mysql?.stop();
  rmSync(WRONG_DIR, { recursive: true, force: true });
});

async function withServer(work: (server: RunningServer) => Promise<void>, environment: Record<string, string> = {}) {
  const server = await startServer({ DATABASE_URL: mysql.databaseUrl, KV_SWEEP: "false", ...environment });
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

/** What the server that can't start has said. */
async function refusal(environment: Record<string, string> = {}): Promise<string> {
  const begun = performance.now();
  const { child, output, exited } = launchServer({ DATABASE_URL: mysql.databaseUrl, PORT: "0", ...environment });
  const timer = setTimeout(() => child.kill("SIGKILL"), REFUSED_WITHIN_MS);
  expect(await exited).toBe(1);
  clearTimeout(timer);
  expect(performance.now() - begun).toBeLessThan(REFUSED_WITHIN_MS);
  expect(output()).not.toMatch(/\n\s+at /);
  return output();
}

/** One of each kind of call, alone and many at once; and everything is seen by another session too. */
async function converse(base: string, database = "kv") {
  const put = (url: string, init: RequestInit = {}) => call(url, { method: "PUT", body: NASTY, ...init });
  const url = freshKeyUrl(base);
  const headers = { "Content-Type": 'text/x-\\\'; a="b"', "KV-Metadata": NASTY_METADATA };
  const created = await put(url, { headers: { ...headers, "If-None-Match": "*" } });
  expect([created.status, (await put(url, { headers: { "If-None-Match": "*" } })).status]).toEqual([204, 412]);
  const read = await call(url);
  expect(Buffer.from(await read.arrayBuffer())).toEqual(NASTY);
  expect([read.headers.get("Content-Type"), read.headers.get("KV-Metadata")]).toEqual([
    headers["Content-Type"],
    NASTY_METADATA,
  ]);
  const etag = created.headers.get("ETag") as string;
  const statuses = [
    await put(url, { headers: { "If-Match": etag } }),
    await put(url, { headers: { "If-Match": etag } }),
  ];
  expect(statuses.map(({ status }) => status)).toEqual([204, 412]);

  // Batches of several rows, in packets of several statements.
  const many = Array.from({ length: 30 }, () => freshKeyUrl(base));
  const all = (init: RequestInit, query = "") => Promise.all(many.map((each) => put(each + query, init)));
  const done = many.map(() => 204);
  expect((await all({ headers: { "If-None-Match": "*" } })).map(({ status }) => status)).toEqual(done);
  expect((await all({}, "?keep_ttl=true")).map(({ status }) => status)).toEqual(done);
  expect((await all({}, "?ttl=60")).map(({ status }) => status)).toEqual(done);
  const found = await Promise.all(many.map((each) => call(each)));
  expect(found.map(({ status }) => status)).toEqual(many.map(() => 200));
  for (const each of found) {
    const expiresAt = Date.parse(each.headers.get("KV-Expires-At") as string);
    expect(Math.abs(expiresAt - Date.now() - 60_000)).toBeLessThan(30_000);
  }

  const short = freshKeyUrl(base);
  expect((await put(`${short}?ttl_ms=400`)).status).toBe(204);
  expect((await call(short)).status).toBe(200);
  await sleep(450);
  expect((await call(short)).status).toBe(404);
  expect((await call(url, { method: "DELETE" })).status).toBe(204);
  expect((await call(url)).status).toBe(404);

  const prefix = new URL(many[0] as string).pathname.slice("/v1/kv/".length).replace(/-\d+$/, "");
  const [rows] = await root.query("SELECT COUNT(*) AS n FROM ??.entries WHERE `key` LIKE ?", [database, `${prefix}-%`]);
  expect((rows as { n: number }[])[0]?.n).toBeGreaterThanOrEqual(1);
}

/** Sets a global variable for the time of the work. */
async function withGlobals(settings: Record<string, string>, work: () => Promise<void>) {
  const set = Object.entries(settings).map(([name, value]) => `GLOBAL ${name} = ${value}`);
  await root.query(`SET ${set.join(", ")}`);
  try {
    await work();
  } finally {
    // The value of the start.
    for (const name of Object.keys(settings)) await root.query(`SET GLOBAL ${name} = DEFAULT`);
    await root.query("SET GLOBAL time_zone = '+05:30'");
  }
}

const MODES = "'HIGH_NOT_PRECEDENCE,NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT,NO_UNSIGNED_SUBTRACTION'";

test.each<[string, Record<string, string>]>([
  ["nothing else", { time_zone: "'+05:30'" }],
  ["autocommit=0", { autocommit: "0" }],
  ["init_connect, which ends autocommit", { init_connect: "'SET autocommit=0'" }],
  ["init_connect, which stops the clock and reads Latin-1", { init_connect: "'SET timestamp=1, NAMES latin1'" }],
  ["completion_type=CHAIN", { completion_type: "'CHAIN'" }],
  ["completion_type=RELEASE", { completion_type: "'RELEASE'" }],
  ["sql_select_limit=1", { sql_select_limit: "1" }],
  ["other SQL modes", { sql_mode: MODES }],
  ["no SQL mode", { sql_mode: "''" }],
  ["transaction_read_only=1", { transaction_read_only: "1" }],
  ["transaction_isolation=SERIALIZABLE", { transaction_isolation: "'SERIALIZABLE'" }],
  ["a time zone with a summer", { time_zone: "'-03:00'" }],
  ["safe updates and small joins", { sql_safe_updates: "1", max_join_size: "1" }],
  ["statements of a millisecond", { max_execution_time: "1" }],
])("works with %s", (_, settings) => withGlobals(settings, () => withServer(({ url }) => converse(url))));

test("works with a database made for other tables and texts", async () => {
  await root.query("CREATE DATABASE other CHARACTER SET utf16; GRANT ALL ON other.* TO kv@'127.0.0.1'");
  const DATABASE_URL = mysql.databaseUrl.replace(/kv$/, "other");
  await withGlobals({ default_storage_engine: "MyISAM" }, async () => {
    await withServer(({ url }) => converse(url, "other"), { DATABASE_URL });
    for (const [sql, what] of [
      ["ALTER TABLE other.entries CONVERT TO CHARACTER SET latin1", /table entries.*character set latin1.*ALTER TABLE/],
      ["ALTER TABLE other.entries ENGINE=MyISAM", /table entries.*engine MyISAM.*ALTER TABLE/],
    ] as const) {
      await root.query(sql);
      expect(await refusal({ DATABASE_URL })).toMatch(what);
    }
  });
});

test("works when the server closes idle sessions after a second", () =>
  withGlobals({ wait_timeout: "1" }, () =>
    withServer(async ({ url }) => {
      const key = freshKeyUrl(url);
      for (let i = 0; i < 2; i++) {
        expect((await call(key, { method: "PUT", body: "v" })).status).toBe(204);
        await sleep(1_500);
      }
    }),
  ));

test.each<[Record<string, string>, RegExp]>([
  [{ binlog_format: "'STATEMENT'" }, /binlog_format.*set binlog-format=ROW/],
  [{ max_allowed_packet: "1048576" }, /max_allowed_packet.*1048576.*set max-allowed-packet=\d+/],
])("refuses %j", (settings, sentence) =>
  withGlobals(settings, async () => {
    expect(await refusal()).toMatch(sentence);
  }),
);

test("a server that takes no writes: said once; reads go on, writes fail at once", async () => {
  await withServer(async (server) => {
    const url = freshKeyUrl(server.url);
    expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
    await withGlobals({ super_read_only: "1" }, async () => {
      for (const init of <RequestInit[]>[{}, { headers: { "If-Match": "*" } }, { headers: { "If-None-Match": "*" } }]) {
        const begun = performance.now();
        const put = await call(freshKeyUrl(server.url), { method: "PUT", body: "w", ...init });
        expect(put.status).toBe("If-Match" in (init.headers ?? {}) ? 412 : 503);
        expect(performance.now() - begun).toBeLessThan(2_000);
      }
      expect(await (await call(url)).text()).toBe("v");
      await withServer(async (second) => {
        const put = await call(freshKeyUrl(second.url), { method: "PUT", body: "w" });
        expect([put.status, ((await put.json()) as { code: string }).code]).toEqual([503, "unavailable"]);
        expect(second.output().match(/super_read_only/g)).toHaveLength(1);
      });
    });
    await root.query("SET GLOBAL read_only = OFF");
    expect((await call(url, { method: "PUT", body: "w" })).status).toBe(204);
  });
});

test("refuses sysdate-is-now", async () => {
  root.destroy();
  await mysql.restart("--sysdate-is-now");
  try {
    expect(await refusal()).toMatch(/SYSDATE.*without the option sysdate-is-now/);
  } finally {
    await mysql.restart();
    await connectRoot();
  }
});

describe("MariaDB", () => {
  test("is refused", async () => {
    const mariadb = await startMariaDb(join(WRONG_DIR, "mariadb"), PORTS.mariadb, over.signal);
    try {
      expect(await refusal({ DATABASE_URL: mariadb.databaseUrl })).toMatch(
        /the database is MariaDB \(.*\); DATABASE_URL must name Vitess, or MySQL 8\.0\.19 or later/,
      );
    } finally {
      await mariadb.stop();
    }
  }, 120_000);
});
