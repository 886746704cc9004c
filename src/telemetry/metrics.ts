// What a monitor is told, in Prometheus's format. Every server tells the same of a shard's sweep, whoever sweeps: take
// the maximum over servers.

import { Gauge, Registry } from "prom-client";
import { COUNTED_ROWS, type SweepStatus } from "../sweep/status.ts";

/** Makes the text of /metrics; `sweep` gives what is known by shard. */
export function createMetrics(sweep: () => Promise<Map<string, SweepStatus>>): () => Promise<string> {
  const registry = new Registry();
  const gauge = (
    name: string,
    help: string,
    pick: (status: SweepStatus) => number,
    labels: (status: SweepStatus) => Record<string, string> = () => ({}),
  ) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      labelNames: ["shard", "holder"],
      async collect() {
        const statuses = await sweep();
        this.reset();
        for (const [shard, status] of statuses) this.set({ shard, ...labels(status) }, pick(status));
      },
    });
  gauge(
    "kv_sweep_oldest_expired_seconds",
    "How long ago the oldest row expired that is left; promised to be at most 60",
    ({ oldestAgeMs }) => oldestAgeMs / 1000,
  );
  gauge(
    "kv_sweep_backlog_rows",
    `Expired rows that are left, counted up to ${COUNTED_ROWS}`,
    ({ backlogRows }) => backlogRows,
  );
  gauge(
    "kv_sweep_held",
    "1 if a server sweeps the shard, and which",
    ({ holder }) => (holder === "" ? 0 : 1),
    ({ holder }) => ({ holder }),
  );
  return () => registry.metrics();
}
