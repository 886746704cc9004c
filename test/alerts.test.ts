// The alerts and the dashboard of vitess/monitoring, tried: Debian's Prometheus watches a server while things go wrong, and
// each alert fires when it should and not otherwise. (KvServerBusy is tried by promtool alone.)

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RowDataPacket } from "mysql2/promise";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { findPrometheus, MONITORING, Prometheus } from "./alerts/prometheus.ts";
import { clear, cluster, statusOf } from "./cluster-cli.ts";
import { ALERTS_DIR } from "./folders.ts";
import { call, connectToTablet, until } from "./targets.ts";

const INSTALL_TIMEOUT_MS = 600_000;
const SHAPE = ["--data", ALERTS_DIR, "--shards", "1", "--tablets", "3", "--port-base", "19100"];
const QUEUE_CALLS = 40;
const DEADLINE_MS = 2_500;
const ALERT_TIMEOUT_MS = 100_000;
/** Long enough for every alert to fire that would. */
const QUIET_MS = 25_000;

const found = await findPrometheus();
const programs = "dir" in found ? found.dir : undefined;
if ("missing" in found) console.warn(`Skipped, since there is no Prometheus: ${found.missing}`);

test.skipIf(!programs)("promtool finds rules and configuration in order, and the alerts as they are meant", () => {
  const promtool = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(join(programs as string, "promtool"), args, { cwd: MONITORING });
    expect([args, status, status === 0 ? "" : `${stdout}${stderr}`]).toEqual([args, 0, ""]);
  };
  promtool("check", "rules", "--lint-fatal", "alerts.yaml");
  promtool("check", "config", "prometheus.yaml");
  promtool("test", "rules", "alerts.test.yaml");
});

describe.skipIf(!programs)("while things go wrong", () => {
  let server: RunningServer;
  let prometheus: Prometheus;
  let primarySocket: string;
  let isOver = false;
  let traffic: Promise<unknown>;

  beforeAll(async () => {
    await clear(ALERTS_DIR);
    await up();
    const { url } = await statusOf(ALERTS_DIR);
    server = await startServer({
      ...{ DATABASE_URL: url, KV_QUEUE_CALLS: String(QUEUE_CALLS), KV_DEADLINE_MS: String(DEADLINE_MS) },
    });
    prometheus = await Prometheus.start(programs as string, join(ALERTS_DIR, "prometheus"), new URL(server.url).host);
    // Before it has asked for the first time nobody is known to sweep.
    await until(async () => (await prometheus.count("kv_sweep_held")) > 0, "the server is watched");
    await until(async () => (await prometheus.firing()).length === 0, "nothing fires", ALERT_TIMEOUT_MS);
    traffic = Promise.all([callNowAndThen("GET"), callNowAndThen("PUT")]);
  }, INSTALL_TIMEOUT_MS);

  afterAll(async () => {
    isOver = true;
    await traffic;
    await prometheus?.stop();
    await server?.stop();
    await clear(ALERTS_DIR);
  });

  async function up() {
    const { code, output } = await cluster("up", ...SHAPE);
    if (code !== 0) throw new Error(output);
    const { tablets } = await statusOf(ALERTS_DIR);
    primarySocket = tablets.find(({ role }) => role === "primary")?.mysqlSocket as string;
  }

  async function callNowAndThen(method: string) {
    for (let i = 0; !isOver; i++) {
      await call(urlOf(`traffic-${i % 10}`), { method, ...(method === "PUT" && { body: "v" }) }).catch(() => {});
      await Bun.sleep(50);
    }
  }

  const urlOf = (key: string) => `${server.url}/v1/kv/alerts/${key}`;

  /**
   * Expects that each of these alerts fires before `end` is called, though perhaps not all at one time, and that after it
   * none does; meanwhile `others` may. Whatever comes, `end` is called, so that the next test begins in order.
   */
  async function expectAlerts(expected: string[], others: string[], end: () => Promise<unknown>) {
    const seen = new Set<string>();
    const look = async () => {
      const names = await prometheus.firing();
      for (const name of names) seen.add(name);
      return names;
    };
    const missing = () => expected.filter((name) => !seen.has(name));
    try {
      await until(async () => (await look()) && missing().length === 0, "all fire", ALERT_TIMEOUT_MS).catch(() => {});
    } finally {
      await end();
    }
    await until(async () => (await look()).length === 0, "no alert fires any more", ALERT_TIMEOUT_MS);
    expect(missing()).toEqual([]);
    expect([...seen].filter((name) => !expected.includes(name) && !others.includes(name))).toEqual([]);
  }

  test("nothing fires while nothing is wrong, and the dashboard has something to show", async () => {
    const until = performance.now() + QUIET_MS;
    while (performance.now() < until) {
      expect(await prometheus.firing()).toEqual([]);
      await Bun.sleep(500);
    }
    for (const expression of expressionsOf(readFileSync(join(MONITORING, "dashboard.json"), "utf8"))) {
      // Of what has not happened there is nothing to show.
      const isOfTrouble = /kv_statement_failures_total|status=~|kv_batch_rows/.test(expression);
      if (!isOfTrouble) expect([expression, await prometheus.count(expression)]).not.toEqual([expression, 0]);
    }
  });

  /** A session that holds an entry's row. */
  async function lock(key: string) {
    await call(urlOf(key), { method: "PUT", body: "v" });
    const holder = await connectToTablet(primarySocket);
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM entries WHERE `key` = ? FOR UPDATE", [`alerts/${key}`]);
    return holder;
  }

  test("calls are slow, fill the queue and are refused", async () => {
    const url = urlOf("locked");
    const holder = await lock("locked");
    let isLocked = true;
    const callAgain = async () => {
      while (isLocked) {
        const { status } = await call(url, { method: "PUT", body: "w" });
        if (status === 503) await Bun.sleep(100);
      }
    };
    const calls = Array.from({ length: 2 * QUEUE_CALLS }, callAgain);
    await expectAlerts(
      ["KvCallsSlow", "KvQueueFills", "KvRefusing"],
      // Which of the two it is depends on whether the lock's wait or the calls' deadline is over first.
      ["KvCallsFail", "KvOutcomesUnknown"],
      async () => {
        isLocked = false;
        holder.destroy();
        await Promise.all(calls);
      },
    );
  });

  test("expired rows stay", async () => {
    await call(urlOf("stuck"), { method: "PUT", body: "v" });
    const holder = await connectToTablet(primarySocket);
    await holder.query("UPDATE entries SET expires_at = (UNIX_TIMESTAMP() - 100) * 1000 WHERE `key` = 'alerts/stuck'");
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM entries WHERE `key` = 'alerts/stuck' FOR UPDATE");
    await expectAlerts(["KvExpiredRowsStay"], [], async () => holder.destroy());
  });

  test("a replica lags", async () => {
    const { tablets } = await statusOf(ALERTS_DIR);
    const replica = tablets.find(({ role }) => role === "replica");
    const holder = await connectToTablet(replica?.mysqlSocket as string);
    // What it receives it can't apply.
    await holder.query("FLUSH TABLES WITH READ LOCK");
    await expectAlerts(["KvReplicaLags"], ["KvReplicaMissing"], async () => holder.destroy());
  });

  test("replicas are lost", async () => {
    const { tablets } = await statusOf(ALERTS_DIR);
    const [first, second] = tablets.filter(({ role }) => role === "replica");
    process.kill(first?.pids.vttablet as number, "SIGKILL");
    await expectAlerts(["KvReplicaMissing"], ["KvShardWithoutReplica"], async () => {
      process.kill(second?.pids.vttablet as number, "SIGKILL");
      await until(
        async () => (await prometheus.firing()).includes("KvShardWithoutReplica"),
        "none is left",
        ALERT_TIMEOUT_MS,
      );
      await up();
    });
  });

  test("the primary is lost, and nobody elects another", async () => {
    const { tablets } = await statusOf(ALERTS_DIR);
    const primary = tablets.find(({ role }) => role === "primary");
    process.kill(primary?.pids.vttablet as number, "SIGKILL");
    await expectAlerts(
      ["KvCallsFail", "KvShardWithoutPrimary"],
      [
        ...["KvOutcomesUnknown", "KvCallsSlow", "KvNobodySweeps", "KvExpiredRowsStay", "KvQueueFills", "KvRefusing"],
        // While the tablet comes back, as whichever it is then.
        ...["KvReplicaMissing", "KvShardWithoutReplica", "KvReplicaLags"],
      ],
      up,
    );
  });

  test("no vtgate answers, and what becomes of a write is not known", async () => {
    const { vtgates } = await statusOf(ALERTS_DIR);
    const signal = (name: NodeJS.Signals) => {
      for (const { pid } of vtgates) process.kill(pid as number, name);
    };
    const holder = await lock("sent");
    const put = call(urlOf("sent"), { method: "PUT", body: "w" });
    const waits = async () => {
      const [rows] = await holder.query<RowDataPacket[]>("SELECT 1 FROM performance_schema.data_lock_waits");
      return rows.length > 0;
    };
    await until(waits, "it has been sent");
    signal("SIGSTOP");
    holder.destroy();
    await expectAlerts(
      ["KvCallsFail", "KvDatabaseAway", "KvNobodySweeps", "KvOutcomesUnknown"],
      ["KvCallsSlow", "KvQueueFills", "KvRefusing"],
      async () => signal("SIGCONT"),
    );
    expect(await (await put).json()).toMatchObject({ code: "outcome_unknown" });
  });

  test("the server is lost", async () => {
    server.signal("SIGKILL");
    await server.exited;
    await expectAlerts(["KvNobodySweeps", "KvServerDown"], ["KvOutcomesUnknown"], async () => {
      server = await startServer({ DATABASE_URL: (await statusOf(ALERTS_DIR)).url, PORT: new URL(server.url).port });
    });
  });
});

/** With every variable standing for all. */
function expressionsOf(dashboard: string): string[] {
  const { panels } = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] };
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  return expressions.map((expr) =>
    expr.replaceAll(/\$(instance|shard)\b/g, ".*").replaceAll("$__rate_interval", "20s"),
  );
}
