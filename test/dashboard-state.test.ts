// The page's state, in Debian's Chromium over a real cluster: what it shows is what /metrics, the load simulator and
// Vitess's own client say, and what it says when the database is away.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { runLoad } from "../bench/load/run.ts";
import { newToken } from "../src/auth/tokens.ts";
import type { HistoryDocument, StateDocument } from "../src/dashboard/document.ts";
import { findParts } from "../vitess/install/parts.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { run } from "../vitess/support/processes.ts";
import {
  CHROMIUM,
  expectAccessible,
  expectFits,
  launchChromium,
  type OpenPage,
  openDashboard,
  PHONE,
} from "./dashboard/chromium.ts";
import { type Way, wayTo } from "./proxy.ts";
import { scrape } from "./scrape.ts";
import { call, connectToTablet, targets, until } from "./targets.ts";

const { databaseUrl: DATABASE_URL, status } = targets.vitess;

async function stateOf(url: string, init?: RequestInit): Promise<StateDocument> {
  return (await (await call(`${url}/dashboard/state`, init)).json()) as StateDocument;
}

describe("what the page is told", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL });
  });
  afterAll(() => server?.stop());

  test("is what /metrics and the load simulator say", async () => {
    const [clients, keys] = [50, 500];
    const load = { url: server.url, workload: "a" as const, clients: [clients], keys, seconds: 3, warmup: 0 };
    const [step] = (await runLoad(load)).steps;
    await until(async () => (await scrape(server.url)).sum("kv_waiting_calls") === 0, "nothing is under way");
    const metrics = await scrape(server.url);
    let state = await stateOf(server.url);
    const ended = metrics.sum("kv_calls_total");
    await until(async () => {
      state = await stateOf(server.url);
      return state.totals.calls >= ended;
    }, "an answer that was repeated is over");
    expect(state.totals).toEqual({
      calls: ended,
      failed: 0,
      refused: metrics.sum("kv_refused_total"),
      batches: metrics.sum("kv_batch_rows_count"),
      rows: metrics.sum("kv_batch_rows_sum"),
      batchedCalls: metrics.sum("kv_batch_calls_total"),
    });
    // Calls under way at the end are answered to nobody.
    const told = (step?.reads.count as number) + (step?.writes.count as number) + keys;
    expect(state.totals.calls).toBeGreaterThanOrEqual(told);
    expect(state.totals.calls).toBeLessThanOrEqual(told + clients);
    expect(state.waiting).toEqual({
      calls: 0,
      callsLimit: metrics.sum("kv_waiting_calls_limit"),
      bytes: 0,
      bytesLimit: metrics.sum("kv_waiting_bytes_limit"),
    });
    expect(state.processes).toBe(1);
    // The last hour's points add up to the same: they are of ten seconds each.
    let points: HistoryDocument["points"] = [];
    await until(async () => {
      points = ((await (await call(`${server.url}/dashboard/history`)).json()) as HistoryDocument).points;
      return points.length > 1 && points.at(-1)?.callsPerSecond === 0;
    }, "the next ten seconds have passed");
    const all = points.reduce((sum, { callsPerSecond }) => sum + callsPerSecond * 10, 0);
    expect(all / ended).toBeCloseTo(1, 1);
  });

  test("is what vtctldclient says of tablets, and the tablets of themselves", async () => {
    const parts = await findParts();
    const args = ["GetTablets", "--keyspace=kv", "--format=json", "--log-format=text"];
    const program = { file: parts.programs.vtctldclient, args: [...args, `--server=${status.vtctld.address}`] };
    const tablets = JSON.parse(await run(program)) as {
      alias: { cell: string; uid: number };
      shard: string;
      type: number;
      primary_term_start_time?: { seconds: string | number };
    }[];
    const { shards } = await stateOf(server.url);
    const told = shards.flatMap(({ name, tablets }) =>
      (tablets ?? []).map(({ alias, type, serving, primarySince }) => {
        const since = primarySince === null ? null : Math.floor(Date.parse(primarySince) / 1000);
        return { alias, shard: name, type, serving, since };
      }),
    );
    const known = tablets.map(({ alias: { cell, uid }, shard, type, primary_term_start_time: term }) => ({
      ...{ alias: `${cell}-${String(uid).padStart(10, "0")}`, shard, type: type === 1 ? "primary" : "replica" },
      ...{ serving: true, since: type === 1 ? Number(term?.seconds) : null },
    }));
    const inOrder = (list: { alias: string }[]) => list.toSorted((a, b) => a.alias.localeCompare(b.alias));
    expect(inOrder(told)).toEqual(inOrder(known));
    // Sizes come a moment later, because nobody waits for them.
    await until(async () => (await stateOf(server.url)).shards.every(({ size }) => size), "sizes are known");
    for (const { name, size } of (await stateOf(server.url)).shards) {
      const primary = status.tablets.find(({ shard, role }) => shard === name && role === "primary");
      const mysql = await connectToTablet(primary?.mysqlSocket as string);
      const [[row]] = (await mysql.query(
        "SELECT file_size AS bytes FROM information_schema.innodb_tablespaces WHERE name = 'vt_kv/entries'",
      )) as unknown as [{ bytes: number }[]];
      mysql.destroy();
      expect(size?.bytes).toBe(Number(row?.bytes));
      expect(size?.rows).toBeGreaterThan(0);
    }
  });

  test("needs a token for all namespaces, and is of all processes", async () => {
    const [all, one] = [newToken(["read"], "*"), newToken(["read", "write"], "one")];
    const KV_TOKENS = `${all.entry} ${one.entry}`;
    const several = await startServer({ DATABASE_URL, KV_TOKENS, KV_WORKERS: "2" });
    try {
      const bearer = ({ token }: { token: string }) => ({ headers: { Authorization: `Bearer ${token}` } });
      for (const path of ["state", "history"]) {
        const statuses = [{}, bearer(one), bearer(all)].map(async (init) => {
          return (await call(`${several.url}/dashboard/${path}`, init)).status;
        });
        expect(await Promise.all(statuses)).toEqual([401, 403, 200]);
      }
      const before = (await stateOf(several.url, bearer(all))).totals.calls;
      const get = () =>
        call(`${several.url}/v1/kv/one/key`, { headers: { ...bearer(one).headers, Connection: "close" } });
      await Promise.all(Array.from({ length: 40 }, get));
      await until(
        async () => (await stateOf(several.url, bearer(all))).totals.calls === before + 40,
        "all are counted",
      );
      expect((await stateOf(several.url, bearer(all))).processes).toBe(2);
    } finally {
      await several.stop();
    }
  });

  test("tells of a plain MySQL as of one shard", async () => {
    const { url } = targets.mysql;
    await until(async () => ((await stateOf(url)).shards[0]?.size?.bytes ?? 0) > 0, "its size is known");
    const { shards, database } = await stateOf(url);
    expect(database).toEqual({ answers: true, kind: "mysql" });
    expect(shards).toMatchObject([
      { name: "", serves: true, tablets: null, sweep: { backlogRows: expect.any(Number) } },
    ]);
  });

  test("is nothing on a Worker", async () => {
    expect((await call(`${targets.worker.url}/dashboard/state`)).status).toBe(404);
  });
});

describe.skipIf(!CHROMIUM)("the page", () => {
  let browser: Browser;
  let way: Way;
  let server: RunningServer;
  let opened: OpenPage;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
    way = await wayTo(DATABASE_URL);
    server = await startServer({ DATABASE_URL: way.url, KV_DEADLINE_MS: "2000" });
    opened = await openDashboard(browser, server.url, "#state");
    page = opened.page;
  });
  afterAll(async () => {
    expect(opened?.problems).toEqual([]);
    await browser?.close();
    await server?.stop();
    await way?.close();
  });

  test("shows each shard with its primary, and the counted calls", async () => {
    await call(`${server.url}/v1/kv/page/key`, { method: "PUT", body: "v" });
    const { calls } = (await stateOf(server.url)).totals;
    await page.getByText(`Since the start ${(Math.max(calls, 1)).toLocaleString("en")} calls, 0 failed`).waitFor();
    for (const { shard, alias, role } of status.tablets) {
      const text = await page.getByRole("article", { name: `Shard ${shard}` }).innerText();
      expect(text).toContain(role === "primary" ? `Primary\n${alias}` : `${alias}: replica, `);
    }
    await page.getByRole("region", { name: "The last hour" }).waitFor();
    expect(await page.locator(".chart canvas").count()).toBe(4);
  });

  test.each(["light", "dark"] as const)(
    "has nothing against it in the %s theme, on a desk and on a phone",
    async (colorScheme) => {
      for (const options of [{ colorScheme }, { colorScheme, ...PHONE }]) {
        const other = await openDashboard(browser, server.url, "#state", options);
        await other.page.getByRole("region", { name: "The last hour" }).waitFor();
        await other.page.getByRole("region", { name: "Shards" }).waitFor();
        await expectAccessible(other.page);
        await expectFits(other.page);
        expect(other.problems).toEqual([]);
        await other.close();
      }
    },
  );

  test("says when the database is away, and recovers by itself", async () => {
    const keys = await openDashboard(browser, server.url, "#keys?namespace=page");
    const key = keys.page.getByRole("treeitem", { name: "key", exact: true });
    await key.waitFor();
    const port = Number(new URL(way.url).port);
    await way.close();
    await page.getByText("The database does not answer. This page goes on asking.").waitFor();
    await keys.page.getByText("The database does not answer. Trying again …").waitFor();
    await keys.page.getByRole("button", { name: "Reload" }).click();
    await keys.page.getByText("The database does not answer. Try again").waitFor();
    expect(await key.count()).toBe(0);
    way = await wayTo(DATABASE_URL, port);
    await page.getByText("The database does not answer. This page goes on asking.").waitFor({ state: "detached" });
    await keys.page.getByText("The database answers.").waitFor();
    await key.waitFor();
    expect(keys.problems).toEqual([]);
    await keys.close();
  });

  test("says when the server is away, and recovers by itself", async () => {
    const { port } = new URL(server.url);
    await server.stop();
    await page.getByText("The server does not answer. What follows was so at").waitFor();
    server = await startServer({ DATABASE_URL: way.url, PORT: port });
    await page.getByText("The server does not answer. What follows was so at").waitFor({ state: "detached" });
  });
});
