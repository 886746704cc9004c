// The cluster's command line and `npm start`, on a small cluster of their own: what is started runs, and nothing else.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { clusterStatus } from "../vitess/run/cluster.ts";
import { DEV, launchServer, START, startServer } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { clear, cluster, launch, processesIn, statusOf } from "./cluster-cli.ts";
import { LAUNCHER_DIR } from "./folders.ts";
import { watchStops } from "./stops.ts";
import { call, freshKeyUrl, until } from "./targets.ts";

const PORT_BASE = 18000;
const DATA_DIR = LAUNCHER_DIR;
const SMALL = ["--data", DATA_DIR, "--shards", "1", "--tablets", "2", "--port-base", String(PORT_BASE)];

async function rows(status: ClusterStatus, sql: string) {
  const connection = await createConnection(status.vtgates[0].url);
  try {
    const [result] = await connection.query<RowDataPacket[]>(sql);
    return result;
  } finally {
    connection.destroy();
  }
}

describe("a cluster's life", () => {
  beforeAll(() => clear(DATA_DIR));
  afterAll(() => clear(DATA_DIR));

  test("Ctrl-C in the middle of a start stops all of it", async () => {
    const { child, exited } = launch(["up", ...SMALL]);
    // By then MySQL is initializing its data folders, the longest part.
    while (processesIn(DATA_DIR).length < 3) await sleep(50);
    await sleep(500);
    child.kill("SIGINT");
    expect((await exited).code).toBe(130);
    expect(processesIn(DATA_DIR)).toEqual([]);
  });

  test("a start after that works, whatever proxies there are, and a second one changes nothing", async () => {
    // Nothing listens there, and this machine is reached without one.
    const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    const environment = Object.fromEntries(proxies.map((name) => [name, "http://127.0.0.1:1"]));
    const first = await launch(["up", ...SMALL, "--json"], environment).exited;
    expect(first).toMatchObject({ code: 0 });
    const status: ClusterStatus = JSON.parse(first.stdout);
    expect(status.shards).toEqual(["-"]);
    expect(status.tablets.map((tablet) => tablet.role).sort()).toEqual(["primary", "replica"]);
    await rows(status, "CREATE TABLE entries (`key` VARBINARY(9) PRIMARY KEY)");
    await rows(status, "INSERT INTO entries (`key`) VALUES ('kept')");

    const again = await cluster("up", ...SMALL, "--json");
    const withoutLag = ({ tablets, ...rest }: ClusterStatus) => ({
      ...rest,
      tablets: tablets.map((tablet) => ({ ...tablet, lagSeconds: null })),
    });
    expect(withoutLag(JSON.parse(again.stdout))).toEqual(withoutLag(status));
  });

  test("status is for people and for programs", async () => {
    const { code, stdout } = await cluster("status", "--data", DATA_DIR);
    expect(code).toBe(0);
    expect(stdout).toMatch(/SHARD +TABLET +ROLE +STATE +LAG/);
    const status = await statusOf(DATA_DIR);
    expect(status.vtgates).toMatchObject(
      [7, 10].map((above) => ({
        host: "127.0.0.1",
        port: PORT_BASE + above,
        user: "kv",
        database: "kv",
        answers: true,
      })),
    );
    expect(status.url).toBe(status.vtgates.map(({ url }) => url).join());
    for (const { pids, mysqlSocket } of status.tablets) {
      expect(readFileSync(`/proc/${pids.mysqld}/cmdline`, "utf8")).toContain("mysqld");
      expect(readFileSync(`/proc/${pids.vttablet}/cmdline`, "utf8")).toContain("vttablet");
      expect(existsSync(mysqlSocket)).toBe(true);
    }
  });

  test("another shape for an existing cluster is refused", async () => {
    const { code, output } = await cluster("up", "--data", DATA_DIR, "--shards", "4");
    expect(code).toBe(1);
    expect(output).toContain("has --shards 1, not 4. Leave the flag out, or change it with 'reshard 4'");
  });

  test("its ports can't be taken by another cluster", async () => {
    const other = `${DATA_DIR}-other`;
    const { code, output } = await cluster("up", "--data", other, "--port-base", String(PORT_BASE));
    expect(code).toBe(1);
    expect(output).toMatch(/Port 1800\d \(for .*\) is in use/);
    expect(processesIn(`${other}/`)).toEqual([]);
    rmSync(other, { recursive: true });
  });

  test("what was killed is started again, with its data", async () => {
    const { stdout } = await cluster("status", "--data", DATA_DIR, "--json");
    const [tablet] = (JSON.parse(stdout) as ClusterStatus).tablets;
    process.kill(tablet?.pids.mysqld as number, "SIGKILL");
    process.kill(tablet?.pids.vttablet as number, "SIGKILL");
    const again = await cluster("up", "--data", DATA_DIR, "--json");
    expect(again).toMatchObject({ code: 0 });
    expect(await rows(JSON.parse(again.stdout), "SELECT `key` FROM entries")).toHaveLength(1);
  });

  test("a vtgate that died is missed, and started again, while the other one answers", async () => {
    const { vtgates } = await statusOf(DATA_DIR);
    process.kill(vtgates[0].pid as number, "SIGKILL");
    await until(async () => !(await statusOf(DATA_DIR)).vtgates[0].pid, "it is gone");
    const { code, stdout } = await cluster("status", "--data", DATA_DIR, "--json");
    expect(code).toBe(1);
    const left: ClusterStatus = JSON.parse(stdout);
    expect(left.vtgates.map(({ answers }) => answers)).toEqual([false, true]);
    expect(left.tablets.every(({ serving }) => serving)).toBe(true);
    const again = await cluster("up", "--data", DATA_DIR, "--json");
    expect(again.code).toBe(0);
    expect((JSON.parse(again.stdout) as ClusterStatus).vtgates).toMatchObject([
      { answers: true },
      { answers: true, pid: vtgates[1]?.pid },
    ]);
  });

  test("a start that is broken off stops no mysqld whose vttablet serves", async () => {
    const { tablets, vtgates } = await statusOf(DATA_DIR);
    for (const { pids } of tablets) process.kill(pids.mysqld as number, "SIGKILL");
    // The start waits for it.
    for (const { pid } of vtgates) process.kill(pid as number, "SIGSTOP");
    const { child, exited, output } = launch(["up", "--data", DATA_DIR]);
    await until(() => output().includes("✔ 2 tablets"), "MySQL runs");
    const watch = watchStops(await clusterStatus(DATA_DIR));
    child.kill("SIGINT");
    expect((await exited).code).toBe(130);
    for (const { pid } of vtgates) process.kill(pid as number, "SIGCONT");
    expect(watch.end()).toEqual([true, true]);
    expect(await cluster("up", "--data", DATA_DIR)).toMatchObject({ code: 0 });
  });

  test("down stops each vttablet before its mysqld", async () => {
    const watch = watchStops(await statusOf(DATA_DIR));
    expect((await cluster("down", "--data", DATA_DIR)).code).toBe(0);
    expect(watch.end()).toEqual([true, true]);
    expect(await cluster("up", "--data", DATA_DIR)).toMatchObject({ code: 0 });
  });

  test("down leaves nothing running; stale pid files fool nobody; the data is kept", async () => {
    expect((await cluster("down", "--data", DATA_DIR)).code).toBe(0);
    expect(processesIn(DATA_DIR)).toEqual([]);
    expect((await cluster("status", "--data", DATA_DIR)).code).toBe(1);
    expect((await cluster("down", "--data", DATA_DIR)).code).toBe(0);

    const bystander = spawn("sleep", ["600"]);
    try {
      mkdirSync(join(DATA_DIR, "run"), { recursive: true });
      for (const name of ["etcd", "vtgate-1", "mysqld-100"]) {
        writeFileSync(join(DATA_DIR, "run", `${name}.pid`), `${bystander.pid} 1\n`);
      }
      for (const name of ["mysql.pid", "mysql.sock.lock"]) {
        writeFileSync(join(DATA_DIR, "vt_0000000100", name), `${bystander.pid}\n`);
      }
      writeFileSync(join(DATA_DIR, "launcher.lock"), "999999999");
      const again = await cluster("up", "--data", DATA_DIR, "--json");
      expect(again.code).toBe(0);
      expect(await rows(JSON.parse(again.stdout), "SELECT `key` FROM entries")).toHaveLength(1);
      expect(bystander.exitCode).toBe(null);
    } finally {
      bystander.kill();
    }
  });

  test("a mysqld that can't start is told of in its own words, and not waited for", async () => {
    expect((await cluster("down", "--data", DATA_DIR)).code).toBe(0);
    const file = join(DATA_DIR, "vt_0000000100/innodb/data/ibdata1");
    const whole = readFileSync(file);
    truncateSync(file, 4096);
    const { code, output } = await cluster("up", "--data", DATA_DIR);
    expect({ code, running: processesIn(DATA_DIR) }).toEqual({ code: 1, running: [] });
    expect(output).toMatch(/mysqld-100 ended at its start:\n.*ibdata1.* is of a different size/);
    writeFileSync(file, whole);
    expect(await cluster("up", "--data", DATA_DIR)).toMatchObject({ code: 0 });
  });

  test("reset deletes it", async () => {
    expect((await cluster("reset", "--data", DATA_DIR)).code).toBe(0);
    expect(processesIn(DATA_DIR)).toEqual([]);
    expect((await cluster("status", "--data", DATA_DIR)).output).toContain("There is no cluster");
  });
});

describe("the server over a cluster", () => {
  const environment = { PORT: "0", KV_DATA_DIR: DATA_DIR };
  const isUp = async () => (await cluster("status", "--data", DATA_DIR)).code === 0;
  beforeAll(async () => {
    await clear(DATA_DIR);
    expect((await cluster("up", ...SMALL)).code).toBe(0);
  });
  afterAll(() => clear(DATA_DIR));

  test("`npm start` leaves a cluster running that ran before", async () => {
    const server = await startServer(environment, START);
    expect((await call(freshKeyUrl(server.url), { method: "PUT", body: "v" })).status).toBe(204);
    server.signal("SIGINT");
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain('"stopped"');
    expect(await isUp()).toBe(true);
  });

  test("the schema of a store without rows is made at once, and that of one with rows changed online", async () => {
    const status = await statusOf(DATA_DIR);
    const migrations = () => rows(status, "SHOW VITESS_MIGRATIONS");
    expect(await migrations()).toEqual([]);
    const made = await rows(status, "SELECT created_at FROM __drizzle_migrations");
    const latest = Math.max(...made.map((row) => Number(row.created_at)));
    await rows(status, `DELETE FROM __drizzle_migrations WHERE created_at = ${latest}`);
    await rows(status, "ALTER TABLE entries DROP COLUMN value_bytes");
    const server = await startServer(environment, START);
    const url = freshKeyUrl(server.url);
    expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
    expect(await (await call(url)).text()).toBe("v");
    await server.stop();
    expect(await migrations()).toMatchObject([{ migration_status: "complete", strategy: "vitess" }]);
    expect(await rows(status, "SELECT 1 FROM entries WHERE `key` LIKE 'test/%' AND value_bytes = 1")).toHaveLength(2);
  });

  test("a second `npm start` on the same port is refused", async () => {
    const server = await startServer(environment, START);
    const second = launchServer({ ...environment, PORT: new URL(server.url).port }, START);
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(/^Port \d+ on 127\.0\.0\.1 is in use\. Set PORT to another one\.\n$/);
    await server.stop();
  });

  test("`npm run dev` starts the server again when a file is saved, and leaves the cluster running", async () => {
    const server = await startServer(environment, DEV);
    const starts = () => server.output().match(/"serving"/g)?.length;
    const file = join(import.meta.dirname, "../src/limits.ts");
    writeFileSync(file, readFileSync(file));
    await until(async () => starts() === 2, "it serves again");
    server.signal("SIGINT");
    expect(await server.exited).toBe(0);
    expect(server.output()).toEndWith("The cluster goes on. 'npm run cluster -- down' stops it.\n");
    expect(await isUp()).toBe(true);
  });

  test("when `npm start` is killed, the processes of its server finish and end", async () => {
    const { url } = await statusOf(DATA_DIR);
    const server = await startServer({ PORT: "0", DATABASE_URL: url, KV_WORKERS: "2" }, START);
    process.kill(server.pid, "SIGKILL");
    await until(async () => server.output().match(/"stopped"/g)?.length === 2, "both have ended");
    await expect(call(`${server.url}/healthz`)).rejects.toThrow();
  });

  test("`npm start` starts a cluster that does not run, and stops it at the end", async () => {
    expect((await cluster("down", "--data", DATA_DIR)).code).toBe(0);
    const server = await startServer(environment, START);
    expect(await isUp()).toBe(true);
    const url = freshKeyUrl(server.url);
    expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
    await server.stop();
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain('"leaving"');
    expect(processesIn(DATA_DIR)).toEqual([]);
  });

  test("Ctrl-C while `npm start` starts a cluster leaves nothing running", async () => {
    const { child, exited } = launchServer(environment, START);
    await until(async () => processesIn(DATA_DIR).length >= 3, "it starts processes");
    child.kill("SIGINT");
    expect(await exited).toBe(130);
    expect(processesIn(DATA_DIR)).toEqual([]);
  });

  test("what the server would refuse, `npm start` refuses before it starts a cluster", async () => {
    const { output, exited } = launchServer({ ...environment, KV_BATCH_ROWS: "many" }, START);
    expect(await exited).toBe(1);
    expect(output()).toStartWith("KV_BATCH_ROWS: ");
    expect(processesIn(DATA_DIR)).toEqual([]);
  });
});
