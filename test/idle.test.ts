// Idle connections to the database that a NAT or a firewall has forgotten: noticed long before a call's deadline.

import { describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer } from "../vitess/run/server-process.ts";
import { wayTo } from "./proxy.ts";
import { BACKENDS, call, freshKeyUrl, targets } from "./targets.ts";

const CALLS = 8;
/** Beyond what a connection is trusted for. */
const IDLE_MS = 1_200;
/** A fraction of the deadline, which is 10 s. */
const NOTICED_MS = 2_500;

describe.each(BACKENDS)("over %s", (backend) => {
  // Without batching there are as many connections as calls.
  test.each(["true", "false"])("with KV_COALESCE=%s", async (KV_COALESCE) => {
    const way = await wayTo(targets[backend].databaseUrl);
    const server = await startServer({ DATABASE_URL: way.url, KV_COALESCE, KV_SWEEP: "false", KV_CONNECTIONS: "8" });
    try {
      const url = freshKeyUrl(server.url);
      const put = (each: string, init = {}) => call(each, { method: "PUT", body: "v", ...init });
      await Promise.all(Array.from({ length: CALLS }, () => put(url)));
      await sleep(IDLE_MS);
      way.swallow();
      const begun = performance.now();
      const answers = await Promise.all([
        ...Array.from({ length: CALLS }, () => call(url)),
        ...[put(freshKeyUrl(server.url)), put(`${url}?keep_ttl=true`)],
        put(freshKeyUrl(server.url), { headers: { "If-None-Match": "*" } }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: CALLS }, () => 200), 204, 204, 204]);
      expect(performance.now() - begun).toBeLessThan(NOTICED_MS);
    } finally {
      await server.stop();
      await way.close();
    }
  });
});
