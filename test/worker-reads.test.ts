// What a read on a Worker waits for before it is told.

import { describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer, WORKER } from "../vitess/run/server-process.ts";
import { wayTo } from "./proxy.ts";
import { call, freshKeyUrl, targets } from "./targets.ts";

const { databaseUrl } = targets.vitess;

describe("a read on a Worker", () => {
  /** What it commits, as it is sent. */
  const RENEWAL = Buffer.from(".lease/beat/").toString("hex");
  const HELD_MS = 1_000;

  /** Whether a read, and a list, are answered while commits for reads are not. */
  async function areTold(environment: Record<string, string>) {
    const way = await wayTo(databaseUrl);
    const worker = await startServer({ DATABASE_URL: way.url, ...environment }, WORKER);
    try {
      const url = freshKeyUrl(worker.url);
      await call(url, { method: "PUT", body: "v" });
      await call(url);
      const release = way.hold(RENEWAL);
      const read = call(url);
      const list = call(`${worker.url}/v1/kv/test?limit=1`);
      const held = sleep(HELD_MS).then(() => "held" as const);
      const told = await Promise.all([read, list].map((answer) => Promise.race([answer.then(() => "told"), held])));
      release();
      expect(await (await read).text()).toBe("v");
      expect((await list).status).toBe(200);
      return told;
    } finally {
      await worker.stop();
      await way.close();
    }
  }

  test("is told after a commit in its shard; a list needs none", async () => {
    expect(await areTold({})).toEqual(["held", "told"]);
  });

  test("is told at once where reads may be stale", async () => {
    expect(await areTold({ KV_READ_LEASE_MS: "0" })).toEqual(["told", "told"]);
  });
});
