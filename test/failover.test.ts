// What dies in the middle of a sweep: the server that does it, and the primary that it is done on. Whatever is live
// stays, and the sweep goes on by itself.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RowDataPacket } from "mysql2/promise";
import { connectOnce } from "../src/database/backend.ts";
import { connect } from "../src/database/connect.ts";
import { Table } from "../src/database/table.ts";
import { entryKey, type NewExpiry } from "../src/store/store.ts";
import { newRevision, newVersion } from "../src/store/version.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { clear, cluster, statusOf } from "./cluster-cli.ts";
import { CHROMIUM, launchChromium, openDashboard } from "./dashboard/chromium.ts";
import { FAILOVER_DIR } from "./folders.ts";
import { call, until } from "./targets.ts";

const DATA = ["--data", FAILOVER_DIR];
/** Three tablets, or the shard could not go on without one of them. */
const SHAPE = ["--shards", "1", "--tablets", "3", "--port-base", "18400"];
/** So many that a sweep takes seconds. */
const EXPIRED = 20_000;
const LIVE = 1_000;
const STATEMENT_ROWS = 1_000;

describe("in the middle of a sweep", () => {
  /** Serves, and does not sweep: the tests' own calls. */
  let server: RunningServer;
  const sweepers: RunningServer[] = [];
  let url: string;
  let runs = 0;

  beforeAll(async () => {
    await clear(FAILOVER_DIR);
    const { code, output } = await cluster("up", ...DATA, ...SHAPE);
    if (code !== 0) throw new Error(output);
    url = (await status()).url;
    server = await startServer({ DATABASE_URL: url, KV_SWEEP: "false" });
  });
  afterAll(async () => {
    await Promise.all([...sweepers, server].map((each) => each?.stop()));
    await clear(FAILOVER_DIR);
  });

  const status = () => statusOf(FAILOVER_DIR);

  /** vtgate goes on to list one that was killed, as not serving. */
  const primaryOf = ({ tablets }: ClusterStatus) => tablets.find(({ role, serving }) => role === "primary" && serving);

  /** Writes expired rows with live ones between them, has `servers` sweep, and interferes when a part is done. */
  async function interfere(servers: number, what: () => Promise<unknown>) {
    runs += 1;
    const namespace = `run${runs}`;
    await fill(namespace);
    while (sweepers.length < servers) sweepers.push(await startServer({ DATABASE_URL: url }));
    await until(async () => (await expiredRows(namespace)) < EXPIRED, "the sweep has begun");
    await what();
    expect(await expiredRows(namespace)).toBeGreaterThan(0);
    await until(async () => (await expiredRows(namespace)) === 0, "the sweep goes on");
    for (let i = 0; i < LIVE; i++) {
      const answer = await call(`${server.url}/v1/kv/${namespace}/live-${i}`);
      expect(`live-${i}: ${answer.status}`).toBe(`live-${i}: 200`);
    }
  }

  async function fill(namespace: string) {
    const database = connect({ url, backend: "vitess", connections: 4, queueLimit: 100 });
    const table = new Table(database);
    const names = Array.from({ length: EXPIRED + LIVE }, (_, i) => (i < LIVE ? `live-${i}` : `expired-${i}`));
    const expiryOf = (i: number): NewExpiry =>
      i >= LIVE ? { atMs: 1 } : i % 2 === 0 ? "never" : { afterMs: 3_600_000 };
    try {
      for (let from = 0; from < names.length; from += STATEMENT_ROWS) {
        const puts = names.slice(from, from + STATEMENT_ROWS).map((name, i) => ({
          key: entryKey(namespace, name),
          revision: newRevision(newVersion()),
          expiry: expiryOf(from + i),
          content: { value: Buffer.from("v"), contentType: "text/plain", metadata: null },
        }));
        await table.put(puts, performance.now() + 30_000);
      }
    } finally {
      await database.close();
    }
  }

  /** Not while there is no primary, but soon after. */
  async function expiredRows(namespace: string): Promise<number> {
    let count: number | undefined;
    await until(async () => {
      const connection = await connectOnce(url);
      try {
        const [rows] = await connection.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM entries WHERE `key` LIKE ?", [
          `${namespace}/expired-%`,
        ]);
        count = Number(rows[0]?.n);
        return true;
      } catch {
        return false;
      } finally {
        connection.destroy();
      }
    }, "rows can be counted");
    return count as number;
  }

  /** Which of the servers holds the lease. */
  async function holder(): Promise<RunningServer> {
    const text = await (await call(`${(sweepers[0] as RunningServer).url}/metrics`)).text();
    const name = /kv_sweep_held\{shard="-",holder="([^"]+)"\} 1/.exec(text)?.[1];
    return sweepers.find(({ pid }) => name?.endsWith(`-${pid}`)) as RunningServer;
  }

  test("the server that sweeps is killed: another goes on", async () => {
    await interfere(2, async () => {
      const killed = await holder();
      killed.signal("SIGKILL");
      await killed.exited;
      sweepers.splice(sweepers.indexOf(killed), 1);
    });
  });

  test("another tablet becomes the primary: the sweep follows", async () => {
    const before = primaryOf(await status());
    await interfere(1, async () => expect(await cluster("reparent", "-", ...DATA)).toMatchObject({ code: 0 }));
    expect(primaryOf(await status())?.alias).not.toBe(before?.alias);
  });

  test("the primary is killed while two servers increment one counter: it is exact", async () => {
    const other = await startServer({ DATABASE_URL: url, KV_SWEEP: "false" });
    sweepers.push(other);
    const counter = "/v1/kv/counters/hot";
    const values: number[] = [];
    let unknown = 0;
    let isOver = false;
    const count = async (base: string) => {
      while (!isOver) {
        const answer = await call(`${base}${counter}/increment`, { method: "POST" });
        const { value, code } = (await answer.json()) as { value?: string; code?: string };
        if (answer.status === 200) values.push(Number(value));
        else if (code === "outcome_unknown") unknown += 1;
        else expect(code).toBe("unavailable");
      }
    };
    const counting = [server, other].flatMap(({ url }) => Array.from({ length: 20 }, () => count(url)));
    await until(() => values.length > 500, "it counts");
    const before = primaryOf(await status());
    const browser = CHROMIUM ? await launchChromium() : undefined;
    const dashboard = browser && (await openDashboard(browser, server.url, "#state"));
    const shown = dashboard?.page.getByRole("article", { name: "Shard -" });
    await shown?.getByText(`${before?.alias} became its primary`).waitFor();
    for (const pid of Object.values(before?.pids ?? {})) process.kill(pid as number, "SIGKILL");
    await until(async () => ![undefined, before?.alias].includes(primaryOf(await status())?.alias), "another primary");
    const counted = values.length;
    await until(() => values.length > counted + 500, "it counts on");
    // Whoever looks at the page sees it.
    await shown?.getByText(`${primaryOf(await status())?.alias} became its primary`).waitFor();
    await shown?.getByText(`${before?.alias}: `).waitFor();
    await browser?.close();
    isOver = true;
    await Promise.all(counting);
    expect(await cluster("up", ...DATA)).toMatchObject({ code: 0 });

    const final = Number(await (await call(`${server.url}${counter}`)).text());
    // No two callers were told the same, and what is more than they were told is what some could not be told.
    expect(new Set(values).size).toBe(values.length);
    expect(final).toBeGreaterThanOrEqual(values.length);
    expect(final).toBeLessThanOrEqual(values.length + unknown);
    expect(Math.max(...values)).toBeLessThanOrEqual(final);
  });

  test("the primary's mysqld and vttablet are killed: the sweep goes on at the next", async () => {
    const before = primaryOf(await status());
    await interfere(1, async () => {
      for (const pid of Object.values(before?.pids ?? {})) process.kill(pid as number, "SIGKILL");
    });
    const after = primaryOf(await status());
    expect(after?.alias).toBeDefined();
    expect(after?.alias).not.toBe(before?.alias);
  });
});
