// Splitting, merging and reparenting a cluster by its command line, under a stream of checked calls: none may fail, and
// nothing may be lost or be there twice. From one shard to two and back: that splits one source into several targets
// and merges several sources into one, as any other number does, with the fewest MySQL servers.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RowDataPacket } from "mysql2/promise";
import { readConfig } from "../src/config.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { CheckedLists } from "./checked-lists.ts";
import { CheckedStream } from "./checked-stream.ts";
import { clear, cluster, launch, processesIn, statusOf } from "./cluster-cli.ts";
import { RESHARD_DIR } from "./folders.ts";
import { call, connectToTablet, until } from "./targets.ts";

const DATA = ["--data", RESHARD_DIR];
const SHAPE = ["--shards", "1", "--tablets", "2", "--port-base", "18200"];
/** Less than the deadline of a call by far: what a switch makes calls wait, on a machine that does everything at once. */
const SLOWEST_MS = 9_000;

/** As long as a server waits otherwise. */
const LEASE_MS = readConfig({}).KV_READ_LEASE_MS;

describe("a cluster in use", () => {
  let server: RunningServer;
  let stream: CheckedStream;
  let lists: CheckedLists;
  let sweeps = 0;

  beforeAll(async () => {
    await clear(RESHARD_DIR);
    const { code, output } = await cluster("up", ...DATA, ...SHAPE);
    if (code !== 0) throw new Error(output);
    server = await startServer({ DATABASE_URL: (await status()).url });
    // If it ends by itself, what it said last is worth more than that it is gone.
    server.exited.then(
      (code) => code === 0 || console.error(`the server ended with ${code}: ${server.output().slice(-4_000)}`),
    );
    stream = new CheckedStream(server.url);
    lists = new CheckedLists({ urls: [server.url], namespace: "lists" });
  });
  afterAll(async () => {
    await Promise.all([stream?.stop(), lists?.stop()]);
    await server?.stop();
    await clear(RESHARD_DIR);
  });

  const status = () => statusOf(RESHARD_DIR);

  const primaries = ({ tablets, shards }: ClusterStatus) =>
    tablets.filter(({ role, shard }) => role === "primary" && shards.includes(shard));

  /** The stream goes on, and has found nothing wrong. */
  async function expectAllWell() {
    const { calls } = stream;
    const { listings } = lists;
    await until(() => stream.calls > calls + 50 && lists.listings > listings + 4, "the stream goes on");
    expect([...stream.complaints, ...lists.complaints]).toEqual([]);
    expect(stream.slowestMs).toBeLessThan(SLOWEST_MS);
  }

  async function expectShards(names: string[]) {
    const now = await status();
    expect(now).toMatchObject({ shards: names, resharding: null });
    expect(now.tablets.map(({ shard, serving }) => ({ shard, serving }))).toEqual(
      names.flatMap((shard) => Array(2).fill({ shard, serving: true })),
    );
    expect(processesIn(`--defaults-file=${RESHARD_DIR}/vt_`).length).toBe(2 * names.length);
    await expectSwept(now);
    await expectAllWell();
  }

  /** The server has followed: it sweeps every shard that there is now. */
  async function expectSwept(now: ClusterStatus) {
    sweeps += 1;
    const put = (i: number) => call(`${server.url}/v1/kv/swept${sweeps}/${i}?ttl_ms=1`, { method: "PUT", body: "v" });
    await Promise.all(Array.from({ length: 40 }, (_, i) => put(i)));
    for (const { mysqlSocket } of primaries(now)) {
      const mysql = await connectToTablet(mysqlSocket);
      await until(async () => {
        const [rows] = await mysql.query<RowDataPacket[]>("SELECT 1 FROM entries WHERE `key` LIKE ? LIMIT 1", [
          `swept${sweeps}/%`,
        ]);
        return rows.length === 0;
      }, "every shard is swept");
      mysql.destroy();
    }
  }

  /** The server has held no first answer of a shard back for a lease, since it has printed so much. */
  function expectBelieved(printed: number) {
    const lines = server.output().slice(printed).split("\n");
    const held = lines.filter((line) => line.includes('"another primary"')).map((line) => JSON.parse(line).heldMs);
    for (const ms of held) expect(ms).toBeLessThan(LEASE_MS);
  }

  /** Starts a resharding and interrupts it once its output shows that it is so far. */
  async function interrupt(count: number, when: string) {
    const { child, exited, output } = launch(["reshard", String(count), ...DATA]);
    await until(() => output().includes(when), when);
    child.kill("SIGINT");
    expect((await exited).code).toBe(130);
  }

  test("another tablet becomes the primary, and again another", async () => {
    for (let time = 0; time < 2; time++) {
      const [before] = primaries(await status());
      expect(await cluster("reparent", "-", ...DATA)).toMatchObject({ code: 0 });
      const [after] = primaries(await status());
      expect(after?.alias).not.toBe(before?.alias);
    }
    await expectAllWell();
  });

  test("what can't be done gets a sentence", async () => {
    expect(await cluster("reparent", "-80", ...DATA)).toMatchObject({
      code: 1,
      output: expect.stringContaining("There is no shard '-80'. The shards are -."),
    });
    expect(await cluster("reshard", "3", ...DATA)).toMatchObject({
      code: 1,
      output: expect.stringContaining("power of two"),
    });
    expect(await cluster("reshard", "256", ...DATA)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/more tablets need|MB free and \d+ MB are needed|fs.aio-max-nr/),
    });
    await expectShards(["-"]);
  });

  test("an interrupted split serves on, and goes on with the same command", async () => {
    await interrupt(2, "copy to the new shards");
    expect(await status()).toMatchObject({ shards: ["-"], resharding: ["-80", "80-"] });
    expect(await cluster("up", ...DATA)).toMatchObject({ code: 0 });
    expect(await cluster("reshard", "4", ...DATA)).toMatchObject({
      code: 1,
      output: expect.stringContaining("is being resharded to 2 shards"),
    });
    await expectAllWell();
    const before = server.output().length;
    expect(await cluster("reshard", "2", ...DATA)).toMatchObject({ code: 0 });
    await expectShards(["-80", "80-"]);
    expectBelieved(before);
  });

  test("once more it has nothing to do", async () => {
    const before = await status();
    const again = await cluster("reshard", "2", ...DATA);
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining("has 2 shards already") });
    expect((await status()).tablets.map(({ pids }) => pids)).toEqual(before.tablets.map(({ pids }) => pids));
  });

  test("the rows of one shard, and of all, are written anew in the order of their keys", async () => {
    /** When each tablet's table was made, and that replicas take no writes. */
    const made = async () =>
      Promise.all(
        (await status()).tablets.map(async ({ mysqlSocket, role }) => {
          const mysql = await connectToTablet(mysqlSocket);
          const [[row]] = await mysql.query<RowDataPacket[]>(
            "SELECT create_time AS at, @@super_read_only AS isReadOnly FROM information_schema.tables WHERE table_schema = 'vt_kv' AND table_name = 'entries'",
          );
          mysql.destroy();
          expect(row?.isReadOnly).toBe(role === "primary" ? 0 : 1);
          return Number(row?.at);
        }),
      );
    const before = await made();
    expect(await cluster("rebuild", "40-80", ...DATA)).toMatchObject({
      code: 1,
      output: expect.stringContaining("There is no shard '40-80'"),
    });
    const { child, exited, output } = launch(["rebuild", "-80", ...DATA]);
    await until(() => output().includes("of shard -80 in the order"), "the rebuild has begun");
    child.kill("SIGINT");
    // It may have been done by then.
    await exited;
    expect(await cluster("rebuild", "80-", ...DATA)).toMatchObject({ code: 0 });
    const between = await made();
    expect(between.slice(2).every((at, i) => at > (before[2 + i] as number))).toBe(true);
    expect(await cluster("rebuild", ...DATA)).toMatchObject({ code: 0 });
    expect((await made()).every((at, i) => at > (between[i] as number))).toBe(true);
    await expectAllWell();
  });

  test("an interrupted merge can be given up", async () => {
    await interrupt(1, "primaries of the new shards");
    expect(await cluster("reshard", "2", ...DATA)).toMatchObject({
      code: 0,
      output: expect.stringContaining("Giving up the resharding to 1 shard"),
    });
    await expectShards(["-80", "80-"]);
  });

  test("a merge; a server that starts then finds the schema current", async () => {
    const before = server.output().length;
    expect(await cluster("reshard", "1", ...DATA)).toMatchObject({ code: 0 });
    await expectShards(["-"]);
    expectBelieved(before);
    const [primary] = primaries(await status());
    const mysql = await connectToTablet(primary?.mysqlSocket as string);
    const rows = async (sql: string) => (await mysql.query<RowDataPacket[]>(sql))[0];
    expect(await rows("SELECT 1 FROM __drizzle_migrations")).toHaveLength(2);
    expect(await rows("SHOW INDEX FROM entries WHERE Key_name = 'entries_expires_at'")).toHaveLength(1);
    const fresh = await startServer({ DATABASE_URL: (await status()).url });
    await fresh.stop();

    const [kept] = await Promise.all([stream.stop(), lists.stop()]);
    expect([...stream.complaints, ...lists.complaints]).toEqual([]);
    const held = await rows(
      "SELECT CONVERT(`key` USING utf8mb4) AS name FROM entries WHERE `key` LIKE 'stream/%' AND (expires_at IS NULL OR expires_at > UNIX_TIMESTAMP(SYSDATE(3)) * 1000)",
    );
    expect(held.map(({ name }) => name.slice("stream/".length)).sort()).toEqual(kept.sort());
    mysql.destroy();
  });
});
