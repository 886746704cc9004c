// What a monitor is told, in Prometheus's format. The sweep of a shard is told by every server alike, whoever does it:
// take the maximum over servers.

import { Gauge, Registry } from "prom-client";
import { COUNTED_ROWS, type SweepStatus } from "../sweep/report.ts";

/** Makes the text of /metrics; `sweep` gives what is known by shard. */
export function createMetrics(sweep: () => Map<string, SweepStatus>): () => Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, pick: (report: SweepStatus) => number) =>
    new Gauge({
      name,
      help,
      registers,
      labelNames: ["shard"],
      collect() {
        this.reset();
        for (const [shard, report] of sweep()) this.set({ shard }, pick(report));
      },
    });
  gauge(
    "kv_sweep_oldest_expired_seconds",
    "No row is left that expired longer ago; promised to be at most 60",
    ({ oldestAgeMs }) => oldestAgeMs / 1000,
  );
  gauge(
    "kv_sweep_backlog_rows",
    `Expired rows that are left, counted up to ${COUNTED_ROWS}`,
    ({ backlogRows }) => backlogRows,
  );
  gauge("kv_sweep_step_seconds", "What the last step took", ({ stepMs }) => stepMs / 1000);
  gauge("kv_sweep_share", "Share of the time that the sweep takes while there is a backlog", ({ share }) => share);
  // No counter: several processes tell the same of a shard, some a little later than others.
  gauge(
    "kv_sweep_reclaimed_rows",
    "Rows deleted since the present holder took the shard",
    ({ reclaimedRows }) => reclaimedRows,
  );
  new Gauge({
    name: "kv_sweep_held",
    help: "1 if a server sweeps the shard, and which",
    registers,
    labelNames: ["shard", "holder"],
    collect() {
      this.reset();
      for (const [shard, { holder }] of sweep()) this.set({ shard, holder }, holder === "" ? 0 : 1);
    },
  });
  return () => registry.metrics();
}
