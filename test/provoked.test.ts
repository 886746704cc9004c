// Errors that are provoked in the real parts, and what the store makes of them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mysql2/promise";
import { storeError } from "../src/database/errors.ts";
import { keyspaceOf, urlOfShard } from "../src/database/url.ts";
import { BACKENDS, call, connectToTablet, targets, until } from "./targets.ts";

const SHARD = "-80";
/** Of a primary: see `--queryserver-config-transaction-cap`. */
const TRANSACTIONS = 64;
const INSERT = "INSERT INTO entries (`key`, version, content_type, value) VALUES (?, '0123456789abcdef', 'a/b', ?)";
const UPDATE = "UPDATE entries SET value = 'w' WHERE `key` = ?";

const { vitess, mysql } = targets;
const primary = vitess.status.tablets.find(({ role, shard }) => role === "primary" && shard === SHARD);

/** Sessions of clients at one shard, and of its server's administrator. */
const places = {
  vitess: {
    open: () => createConnection(urlOfShard(vitess.status.vtgates[0].url, SHARD)),
    admin: () => connectToTablet(primary?.mysqlSocket as string),
  },
  mysql: {
    open: async () => {
      const client = await createConnection(mysql.databaseUrl);
      await client.query("SET SESSION innodb_lock_wait_timeout = 1");
      return client;
    },
    admin: () => createConnection({ socketPath: mysql.socket, user: "root", database: keyspaceOf(mysql.databaseUrl) }),
  },
};

/** What the store would say of the error that the work must throw, if the statement was a write. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error) => error,
  );
  if (!error) throw new Error("there was no error");
  return storeError(error, { phase: "sent", writes: true }).code;
}

describe.each(BACKENDS)("on %s", (backend) => {
  const { open, admin } = places[backend];
  const opened: Connection[] = [];
  let root: Connection;
  let client: Connection;

  const connection = async () => {
    const fresh = await open();
    fresh.on("error", () => {});
    opened.push(fresh);
    return fresh;
  };
  beforeAll(async () => {
    root = await admin();
    client = await connection();
  });
  afterAll(async () => {
    // They are in this shard whatever their hash, where no other row is that is not the shard's.
    await (await connection()).query("DELETE FROM entries WHERE `key` >= 'provoked/' AND `key` < 'provoked0'");
    for (const each of [...opened, root]) each?.destroy();
  });

  const freshKey = () => `provoked/${randomUUID()}`;
  const inserted = async () => {
    const key = freshKey();
    await client.query(INSERT, [key, "v"]);
    return key;
  };
  /** Begins a write that waits for the row's lock, which the administrator holds; `writer` is its thread. */
  async function waiting() {
    const key = await inserted();
    const holder = await admin();
    await holder.query("START TRANSACTION");
    await holder.query(UPDATE, [key]);
    const code = codeOf((await connection()).query(UPDATE, [key]));
    let writer = 0;
    await until(async () => {
      const [rows] = await holder.query(
        `SELECT processlist_id AS id FROM performance_schema.data_lock_waits
         JOIN performance_schema.threads ON thread_id = requesting_thread_id
         WHERE blocking_thread_id = PS_CURRENT_THREAD_ID()`,
      );
      writer = Number((rows as { id: number }[])[0]?.id ?? 0);
      return writer !== 0;
    }, "a write waits for the lock");
    return { code, writer, release: () => holder.destroy() };
  }

  test.each([
    ["a syntax error", "INSERT INTO entries VALUES (", []],
    ["no such table", "INSERT INTO nowhere (x) VALUES (1)", []],
    ["no such column", "UPDATE entries SET nothing = 1 WHERE `key` = 'k'", []],
    ["a key too long", INSERT, ["k".repeat(1000), "v"]],
    ["a time out of range", "UPDATE entries SET expires_at = 1e30 WHERE `key` = ?", ["existing"]],
  ])("%s: refused for good", async (_, sql, values) => {
    const key = values[0] === "existing" ? [await inserted()] : values;
    expect(await codeOf(client.query(sql, key))).toBe("internal");
  });

  test("a lock that is not free in time: not applied", async () => {
    const { code, release } = await waiting();
    expect(await code).toBe("unavailable");
    release();
  });

  test("a deadlock: not applied", async () => {
    const [first, second] = [await inserted(), await inserted()];
    const [one, other] = [await connection(), await connection()];
    for (const session of [one, other]) await session.query("START TRANSACTION");
    await one.query(UPDATE, [first]);
    await other.query(UPDATE, [second]);
    const crossing = [one.query(UPDATE, [second]), other.query(UPDATE, [first])];
    const codes = await Promise.all(
      crossing.map((each) =>
        each.then(
          () => "done",
          (error) => storeError(error, { phase: "sent", writes: true }).code,
        ),
      ),
    );
    expect(codes.sort()).toEqual(["done", "unavailable"]);
    for (const session of [one, other]) await session.query("ROLLBACK").catch(() => {});
  });

  test.each(["QUERY", "CONNECTION"])("a statement whose %s is killed: unknown", async (what) => {
    const { code, writer, release } = await waiting();
    await root.query(`KILL ${what} ${writer}`);
    expect(await code).toBe("outcome_unknown");
    release();
  });

  test("a wrong password: nothing was sent", async () => {
    const { config } = client;
    const wrong = createConnection({ host: config.host, port: config.port, user: config.user, password: "guess" });
    const error = await wrong.catch((error) => error);
    expect(storeError(error, { phase: "connecting", writes: true }).code).toBe("internal");
  });

  test("an address at which nobody listens: nothing was sent", async () => {
    const error = await createConnection({ host: "127.0.0.1", port: 1 }).catch((error) => error);
    expect(storeError(error, { phase: "connecting", writes: true }).code).toBe("unavailable");
  });
});

describe("on a plain MySQL", () => {
  let root: Connection;
  beforeAll(async () => {
    root = await places.mysql.admin();
  });
  afterAll(() => root.destroy());

  test("a server that takes no writes: not applied", async () => {
    const client = await places.mysql.open();
    await root.query("SET GLOBAL read_only = ON");
    try {
      expect(await codeOf(client.query(INSERT, [`provoked/${randomUUID()}`, "v"]))).toBe("unavailable");
    } finally {
      await root.query("SET GLOBAL read_only = OFF");
      client.destroy();
    }
  });

  test("more sessions than one user, or all, may have: nothing was sent", async () => {
    await root.query("CREATE USER crowd@'%' IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 1");
    const { hostname: host, port } = new URL(mysql.databaseUrl);
    const login = { host, port: Number(port), user: "crowd", password: "secret" };
    const first = await createConnection(login);
    try {
      expect(await codeOf(createConnection(login))).toBe("unavailable");
      const [[row]] = (await root.query("SELECT @@global.max_connections AS most")) as unknown as [{ most: number }[]];
      await root.query("SET GLOBAL max_connections = 1");
      expect(await codeOf(createConnection(mysql.databaseUrl))).toBe("unavailable");
      await root.query(`SET GLOBAL max_connections = ${row?.most}`);
    } finally {
      first.destroy();
      await root.query("DROP USER crowd@'%'");
    }
  });
});

describe("on Vitess", () => {
  test("more transactions than a tablet has room for: not applied", async () => {
    const sessions = await Promise.all(Array.from({ length: TRANSACTIONS + 1 }, () => places.vitess.open()));
    const keys = sessions.map(() => `provoked/${randomUUID()}`);
    const last = sessions.length - 1;
    try {
      for (const [i, session] of sessions.slice(0, last).entries()) {
        await session.query("START TRANSACTION");
        await session.query(INSERT, [keys[i], "v"]);
      }
      expect(await codeOf((sessions[last] as Connection).query(INSERT, [keys[last], "v"]))).toBe("unavailable");
    } finally {
      await Promise.all(sessions.map((session) => session.end().catch(() => {})));
    }
  });

  test("rows of several shards, where one is allowed: undone", async () => {
    const session = await createConnection(vitess.status.vtgates[0].url);
    await session.query("SET transaction_mode = 'single'");
    const keys = Array.from({ length: 16 }, () => `provoked/${randomUUID()}`);
    const rows = keys.map(() => "(?, '0123456789abcdef', 'a/b', 'v')").join();
    const insert = `INSERT INTO entries (\`key\`, version, content_type, value) VALUES ${rows}`;
    expect(await codeOf(session.query(insert, keys))).toBe("unavailable");
    session.destroy();
  });

  test("one shard whose primary is silent: servers are ready, for they reach the database and serve the others", async () => {
    const vttablet = primary?.pids.vttablet as number;
    process.kill(vttablet, "SIGSTOP");
    try {
      for (let i = 0; i < 10; i++) {
        expect((await call(`${vitess.url}/readyz`)).status).toBe(200);
        // Each answer counts for a tenth of a second.
        await sleep(110);
      }
    } finally {
      process.kill(vttablet, "SIGCONT");
    }
  });

  test("no tablet that serves: not applied", async () => {
    const url = urlOfShard(vitess.status.vtgates[0].url, SHARD).replace("primary", "rdonly");
    const session = await createConnection(url);
    expect(await codeOf(session.query("SELECT 1 FROM entries WHERE `key` = 'k'"))).toBe("unavailable");
    session.destroy();
  });
});
