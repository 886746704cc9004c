// A cluster that loses a machine, and then everything: what was acknowledged is there again.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../vitess/run/folder.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { CheckedStream } from "./checked-stream.ts";
import { clear, cluster, launch, processesIn, statusOf } from "./cluster-cli.ts";
import { BACKUPS_DIR, OPERATIONS_DIR } from "./folders.ts";
import { call, connectToTablet, until } from "./targets.ts";

const DATA = ["--data", OPERATIONS_DIR];
/** New MySQL servers are started, on a machine that may be busy otherwise. */
const SLOW_MS = 300_000;
/** Three tablets, or the shard could not go on without one of them. */
const SHAPE = ["--shards", "1", "--tablets", "3", "--port-base", "18600"];

describe("a cluster in use", () => {
  let server: RunningServer;
  let stream: CheckedStream | undefined;

  beforeAll(async () => {
    await clearAll();
    const { code, output } = await cluster("up", ...DATA, ...SHAPE);
    if (code !== 0) throw new Error(output);
    server = await startServer({ DATABASE_URL: (await status()).url });
  });
  afterAll(async () => {
    await stream?.stop();
    await server?.stop();
    await clearAll();
  });

  async function clearAll() {
    await clear(OPERATIONS_DIR);
    rmSync(BACKUPS_DIR, { recursive: true, force: true });
  }

  const status = () => statusOf(OPERATIONS_DIR);
  const primaryOf = ({ tablets }: ClusterStatus) => tablets.find(({ role, serving }) => role === "primary" && serving);
  const put = (name: string, query = "") =>
    call(`${server.url}/v1/kv/kept/${name}${query}`, { method: "PUT", body: name });

  /** What a client can see of an entry. */
  async function look(name: string) {
    const answer = await call(`${server.url}/v1/kv/kept/${name}`);
    const { headers, status } = answer;
    const body = await answer.text();
    return [status, status === 200 && body, headers.get("ETag"), headers.get("KV-Expires-At")];
  }

  /** As when the power fails. */
  async function killAll({ vtorc }: ClusterStatus) {
    for (const pid of new Set([...processesIn(OPERATIONS_DIR), String(vtorc.pid)]))
      process.kill(Number(pid), "SIGKILL");
    await until(() => processesIn(OPERATIONS_DIR).length === 0, "nothing is left");
  }

  async function expectTablets(count: number) {
    const now = await status();
    expect(now.tablets.map(({ serving }) => serving)).toEqual(Array(count).fill(true));
    expect(now.tablets.filter(({ role }) => role === "primary")).toHaveLength(1);
    expect(processesIn(`--defaults-file=${OPERATIONS_DIR}/vt_`)).toHaveLength(count);
  }

  test(
    "a write that replicas have acknowledged, but not applied, outlives a power failure in which the primary is lost",
    async () => {
      const before = await status();
      const primary = primaryOf(before);
      const replicas = before.tablets.filter(({ alias }) => alias !== primary?.alias);
      // It would start replication again.
      process.kill(before.vtorc.pid as number, "SIGSTOP");
      for (const { mysqlSocket } of replicas) {
        const mysql = await connectToTablet(mysqlSocket);
        await mysql.query("STOP REPLICA SQL_THREAD");
        mysql.destroy();
      }
      expect((await put("only-in-relay-logs")).status).toBe(204);
      await killAll(before);
      const folderOf = (alias = "") =>
        Cluster.load(OPERATIONS_DIR).topology.tablets.find((tablet) => tablet.alias === alias)?.dir as string;
      rmSync(folderOf(primary?.alias), { recursive: true });
      // With the primary and one of two replicas gone, nobody knows what those two alone had.
      const replica = folderOf(replicas[0]?.alias);
      renameSync(replica, `${replica}.aside`);
      expect(await cluster("up", ...DATA)).toMatchObject({
        code: 1,
        output: expect.stringContaining(`has lost its primary, ${primary?.alias}, and ${replicas[0]?.alias}`),
      });
      expect(processesIn(OPERATIONS_DIR)).toEqual([]);
      renameSync(`${replica}.aside`, replica);
      expect(await cluster("up", ...DATA)).toMatchObject({
        code: 0,
        output: expect.stringContaining("remove-tablet"),
      });
      expect(primaryOf(await status())).toBeDefined();
      await until(async () => (await look("only-in-relay-logs"))[0] === 200, "the server has the new vtgates");
      expect((await look("only-in-relay-logs"))[1]).toBe("only-in-relay-logs");
      expect((await put("after")).status).toBe(204);
    },
    SLOW_MS,
  );

  test(
    "the tablet that was lost is removed, and another one added, whatever interrupts that",
    async () => {
      expect(await cluster("remove-tablet", "-", ...DATA)).toMatchObject({
        code: 1,
        output: expect.stringContaining("There is no tablet '-'"),
      });
      stream = new CheckedStream(server.url);
      const lost = (await status()).tablets.find(({ pids }) => pids.mysqld === null);
      expect(await cluster("remove-tablet", ...DATA)).toMatchObject({ code: 0 });
      expect((await status()).tablets.map(({ alias }) => alias)).not.toContain(lost?.alias);

      const { child, exited, output } = launch(["add-tablet", "-", ...DATA]);
      await until(() => output().includes("copy zone1"), "it copies", SLOW_MS);
      child.kill("SIGINT");
      expect((await exited).code).toBe(130);
      expect(await status()).toMatchObject({ adding: { shard: "-" }, tablets: { length: 2 } });
      expect(await cluster("reshard", "2", ...DATA)).toMatchObject({
        code: 1,
        output: expect.stringContaining("A tablet is being added to shard -"),
      });
      expect(await cluster("add-tablet", "-", ...DATA)).toMatchObject({ code: 0 });
      expect(await status()).toMatchObject({ adding: null });
      await expectTablets(3);
      expect(stream.complaints).toEqual([]);
    },
    SLOW_MS,
  );

  test(
    "what would cost the shard its safety is refused",
    async () => {
      const { tablets } = await status();
      const refused: [string[], RegExp][] = [
        [["remove-tablet", primaryOf(await status())?.alias as string], /is the primary of shard -.*'reparent -'/],
        [
          ["remove-tablet", tablets.find(({ role }) => role === "replica")?.alias as string],
          /add-tablet -', or use --force/,
        ],
        [["remove-tablet"], /No tablet is down/],
        [["remove-tablet", "107"], /no tablet '107'/],
        [["add-tablet", "80-"], /no shard '80-'/],
        [["backup", "--keep", "0"], /--keep/],
        [["restore", "--from", BACKUPS_DIR], /already/],
      ];
      mkdirSync(join(BACKUPS_DIR, "cut-off.partial"), { recursive: true });
      expect((await cluster("restore", "--from", BACKUPS_DIR, ...DATA)).output).toContain("no complete backup");
      expect(await cluster("backup", "--to", BACKUPS_DIR, ...DATA)).toMatchObject({ code: 0 });
      for (const [args, reason] of refused) {
        const { code, output } = await cluster(...args, ...DATA);
        expect([code, output]).toEqual([1, expect.stringMatching(reason)]);
      }
      await expectTablets(3);
    },
    SLOW_MS,
  );

  test(
    "everything is lost: a backup that was made meanwhile has what was acknowledged before",
    async () => {
      const ways = ["", "?ttl=3600", "?ttl_ms=1500"];
      const names = Array.from({ length: 300 }, (_, i) => `key-${i}`);
      const written = await Promise.all(names.map((name, i) => put(name, ways[i % ways.length])));
      expect(written.map((answer) => answer.status)).toEqual(names.map(() => 204));
      const made = await cluster("backup", "--to", BACKUPS_DIR, "--keep", "1", ...DATA);
      expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining(BACKUPS_DIR) });
      await stream?.stop();
      expect(stream?.complaints).toEqual([]);
      stream = undefined;
      const expired = async (name: string) => (await look(name))[0] === 404;
      for (let i = 2; i < names.length; i += ways.length) await until(() => expired(names[i] as string), "it expires");
      const seen = await Promise.all(names.map(look));

      await server.stop();
      await killAll(await status());
      rmSync(OPERATIONS_DIR, { recursive: true });

      expect(await cluster("restore", "--from", BACKUPS_DIR, ...DATA)).toMatchObject({ code: 0 });
      await expectTablets(3);
      server = await startServer({ DATABASE_URL: (await status()).url });
      expect(await Promise.all(names.map(look))).toEqual(seen);
      expect((await put("later")).status).toBe(204);
      expect((await look("later"))[1]).toBe("later");
    },
    SLOW_MS,
  );
});
