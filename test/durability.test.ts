// Asks the running cluster, not its configuration, whether it can keep the promises: reads see acknowledged writes,
// and acknowledged writes are on two disks.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { call, connectToTablet, targets } from "./targets.ts";

const { status } = targets.vitess;
const primaries = status.tablets.filter((tablet) => tablet.role === "primary");

async function variables(socket: string, scope: "VARIABLES" | "STATUS", pattern: string) {
  const connection = await connectToTablet(socket);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(`SHOW GLOBAL ${scope} LIKE '${pattern}'`);
    return Object.fromEntries(rows.map((row) => [row.Variable_name, row.Value]));
  } finally {
    connection.destroy();
  }
}

test("there are two shards of three tablets, one of them primary, with replicas that keep up", () => {
  expect(status.shards).toEqual(["-80", "80-"]);
  for (const shard of status.shards) {
    const tablets = status.tablets.filter((tablet) => tablet.shard === shard);
    expect(tablets.map((tablet) => tablet.role).sort()).toEqual(["primary", "replica", "replica"]);
    expect(tablets.every((tablet) => tablet.serving)).toBe(true);
  }
});

test("a commit on a primary waits for a replica's disk, however long that takes", async () => {
  for (const { mysqlSocket } of primaries) {
    const settings = await variables(mysqlSocket, "VARIABLES", "rpl_semi_sync_source%");
    expect(settings.rpl_semi_sync_source_enabled).toBe("ON");
    expect(settings.rpl_semi_sync_source_wait_point).toBe("AFTER_SYNC");
    expect(settings.rpl_semi_sync_source_wait_no_replica).toBe("ON");
    expect(Number(settings.rpl_semi_sync_source_wait_for_replica_count)).toBeGreaterThanOrEqual(1);
    // Milliseconds: over 30 years before it would give up and commit alone.
    expect(Number(settings.rpl_semi_sync_source_timeout)).toBeGreaterThan(1e12);
    const state = await variables(mysqlSocket, "STATUS", "Rpl_semi_sync_source%");
    expect(state.Rpl_semi_sync_source_status).toBe("ON");
    expect(Number(state.Rpl_semi_sync_source_clients)).toBeGreaterThanOrEqual(1);
    expect(Number(state.Rpl_semi_sync_source_no_tx)).toBe(0);
  }
});

test("a commit is one event and its GTID, for replicas sync their relay logs after each", async () => {
  const uncompressed = async () => {
    const counts = primaries.map(async ({ mysqlSocket }) => {
      const connection = await connectToTablet(mysqlSocket);
      const [[row]] = await connection.query<RowDataPacket[]>(
        "SELECT SUM(TRANSACTION_COUNTER) AS n FROM performance_schema.binary_log_transaction_compression_stats WHERE LOG_TYPE = 'BINARY' AND COMPRESSION_TYPE = 'NONE'",
      );
      connection.destroy();
      return Number(row?.n);
    });
    return await Promise.all(counts);
  };
  const before = await uncompressed();
  for (const size of [1, 10, 100_000]) {
    const puts = Array.from({ length: 30 }, (_, i) =>
      call(`${targets.vitess.url}/v1/kv/compressed/${size * (i % 20)}`, { method: "PUT", body: "v".repeat(size) }),
    );
    expect((await Promise.all(puts)).map(({ status }) => status)).toEqual(Array(30).fill(204));
  }
  expect(await uncompressed()).toEqual(before);
});

test("each tablet's commit is on its own disk before it counts", async () => {
  for (const { mysqlSocket } of status.tablets) {
    expect(await variables(mysqlSocket, "VARIABLES", "sync_binlog")).toEqual({ sync_binlog: "1" });
    // What a replica acknowledges is in its relay log.
    expect(await variables(mysqlSocket, "VARIABLES", "sync_relay_log")).toEqual({ sync_relay_log: "1" });
    const flush = "innodb_flush_log_at_trx_commit";
    expect(await variables(mysqlSocket, "VARIABLES", flush)).toEqual({ [flush]: "1" });
    expect(await variables(mysqlSocket, "VARIABLES", "innodb_doublewrite")).toEqual({ innodb_doublewrite: "ON" });
  }
});

test("statements run as the design assumes: read committed, in UTC, replicated by row", async () => {
  for (const { mysqlSocket } of status.tablets) {
    const isolation = await variables(mysqlSocket, "VARIABLES", "transaction_isolation");
    expect(isolation).toEqual({ transaction_isolation: "READ-COMMITTED" });
    expect(await variables(mysqlSocket, "VARIABLES", "time_zone")).toEqual({ time_zone: "+00:00" });
    expect(await variables(mysqlSocket, "VARIABLES", "binlog_format")).toEqual({ binlog_format: "ROW" });
  }
});

test("only a primary can be written to", async () => {
  for (const { mysqlSocket, role } of status.tablets) {
    const { super_read_only } = await variables(mysqlSocket, "VARIABLES", "super_read_only");
    expect(super_read_only).toBe(role === "primary" ? "OFF" : "ON");
  }
});

test("primaries give no caller the result of another's earlier statement", async () => {
  for (const { httpPort } of status.tablets) {
    const answer = await call(`http://127.0.0.1:${httpPort}/debug/env?format=json`);
    expect((await answer.json()) as object).toHaveProperty("Consolidator", "notOnPrimary");
  }
});

test("no log keeps the statements that are slow or fail, for they hold keys and values", async () => {
  for (const { mysqlSocket, pids } of status.tablets) {
    expect(await variables(mysqlSocket, "VARIABLES", "slow_query_log")).toEqual({ slow_query_log: "OFF" });
    expect(readFileSync(`/proc/${pids.vttablet}/cmdline`, "utf8").split("\0")).toContain("--sanitize-log-messages");
  }
});

test("no vtgate repeats a statement by itself", () => {
  expect(status.vtgates).toHaveLength(2);
  for (const { pid } of status.vtgates) {
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")).toContain("--retry-count=0");
  }
});

test("keys of one namespace are on every shard, each on one", async () => {
  const namespace = `spread${Date.now()}`;
  const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
  await Promise.all(
    keys.map((key) => call(`${targets.vitess.url}/v1/kv/${namespace}/${key}`, { method: "PUT", body: "v" })),
  );
  const counts = await Promise.all(
    status.shards.map(async (shard) => {
      const connection = await createConnection({ ...login(), database: `kv:${shard}@primary` });
      const [rows] = await connection.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM entries WHERE `key` LIKE ?", [
        `${namespace}/%`,
      ]);
      connection.destroy();
      return Number(rows[0]?.n);
    }),
  );
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(keys.length);
  for (const count of counts) expect(count).toBeGreaterThan(keys.length / 4);
});

test("vtgate takes no one without the password", async () => {
  const wrong = createConnection({ ...login(), password: "guess" });
  await expect(wrong).rejects.toThrow(/Access denied/);
});

test("nothing listens beyond loopback", () => {
  const { vtgates, vtctld, vtorc, etcd, tablets } = status;
  const pids = [...vtgates, vtctld, vtorc, etcd]
    .map(({ pid }) => pid)
    .concat(tablets.flatMap((tablet) => [tablet.pids.mysqld, tablet.pids.vttablet]));
  const addresses = pids.filter((pid) => pid !== null).flatMap(listeningAddresses);
  expect(addresses.length).toBeGreaterThanOrEqual(pids.length);
  // 127.0.0.1 as the kernel prints it, also where it is mapped into IPv6.
  expect(addresses.filter((address) => !address.endsWith("0100007F"))).toEqual([]);
});

/** The addresses that a process's TCP sockets listen on, from /proc. */
function listeningAddresses(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      } catch {
        return undefined; // closed meanwhile
      }
    }),
  );
  const LISTEN = "0A";
  return ["tcp", "tcp6"]
    .flatMap((protocol) => readFileSync(`/proc/net/${protocol}`, "utf8").trim().split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(inode))
    .map(([, address]) => address?.split(":")[0] ?? "");
}

function login() {
  const { host, port, user, password } = status.vtgates[0];
  return { host, port, user, password };
}
