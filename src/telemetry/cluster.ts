// What is asked of the database when metrics are read. Every server tells the same: take the maximum over servers.

import { Gauge, type Registry } from "prom-client";
import { COUNTED_ROWS, type SweepStatus } from "../sweep/status.ts";
import { SHARDS } from "./shards.ts";

/** For how long an answer is repeated: what a monitor asks must cost the same however many ask. */
const FRESH_MS = 1_000;

/** As vtgate sees it. */
interface Tablet {
  shard: string;
  type: string;
  serving: boolean;
  /** Null of a primary, and where it is not known. */
  lagSeconds: number | null;
}

export interface ClusterSources {
  shards: () => string[];
  labelOf: (shard: string) => string;
  /** Of each shard that answers; of none where this server takes no part in sweeping. */
  sweep: () => Promise<Map<string, SweepStatus>>;
  /** Undefined of a database that has none. */
  tablets?: () => Promise<Tablet[]>;
}

export function clusterMetrics(registry: Registry, { shards, labelOf, sweep, tablets }: ClusterSources) {
  sweepMetrics(registry, async () => {
    const parts = new Map<string, SweepStatus>();
    for (const [shard, status] of await sweep()) {
      const label = labelOf(shard);
      const other = parts.get(label);
      parts.set(label, other ? together(status, other) : status);
    }
    return parts;
  });
  if (tablets) tabletMetrics(registry, shards, tablets);
}

function together(one: SweepStatus, other: SweepStatus): SweepStatus {
  return {
    holder: one.holder && other.holder && "several",
    oldestAgeMs: Math.max(one.oldestAgeMs, other.oldestAgeMs),
    backlogRows: one.backlogRows + other.backlogRows,
  };
}

function sweepMetrics(registry: Registry, sweep: ClusterSources["sweep"]) {
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
    `Expired rows that are left, counted up to ${COUNTED_ROWS} in a shard`,
    ({ backlogRows }) => backlogRows,
  );
  gauge(
    "kv_sweep_held",
    "1 if a server sweeps the shard, and which",
    ({ holder }) => (holder === "" ? 0 : 1),
    ({ holder }) => ({ holder }),
  );
}

/** Nothing where there are more shards than labels: vttablets tell it of themselves. */
function tabletMetrics(registry: Registry, shards: () => string[], ask: () => Promise<Tablet[]>) {
  let asked: { atMs: number; answer: Promise<Tablet[]> } | undefined;
  const tablets = () => {
    const now = performance.now();
    // Where vtgate does not answer nothing is told.
    if (!asked || now - asked.atMs > FRESH_MS) asked = { atMs: now, answer: ask().catch(() => []) };
    return asked.answer;
  };
  const told = () => (shards().length > SHARDS ? [] : tablets());
  new Gauge({
    name: "kv_tablets_serving",
    help: "Tablets of a shard that serve, by their type; of a primary there should be one",
    registers: [registry],
    labelNames: ["shard", "tablet"],
    async collect() {
      const known = await told();
      this.reset();
      if (known.length === 0) return;
      for (const shard of shards()) for (const tablet of ["primary", "replica"]) this.set({ shard, tablet }, 0);
      for (const { shard, type, serving } of known) if (serving) this.inc({ shard, tablet: type });
    },
  });
  new Gauge({
    name: "kv_replica_lag_seconds",
    help: "Of the replica of a shard that is furthest behind, in whole seconds",
    registers: [registry],
    labelNames: ["shard"],
    async collect() {
      const known = await told();
      this.reset();
      for (const [shard, ofShard] of Map.groupBy(known, (tablet) => tablet.shard)) {
        const lags = ofShard.flatMap(({ lagSeconds }) => lagSeconds ?? []);
        if (lags.length > 0) this.set({ shard }, Math.max(...lags));
      }
    },
  });
}
