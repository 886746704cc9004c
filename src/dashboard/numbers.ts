// What the page shows of calls, made of the same metrics that /metrics tells: counters at two times, and what lies between.

import type { Counted, Numbers } from "./document.ts";

/** A metric as prom-client's registry gives it. */
export interface Metric {
  name: string;
  values: { value: number; labels: Record<string, string | number | undefined>; metricName?: string }[];
}

export interface Totals extends Counted {
  /** How many calls took at most so many seconds, by that bound. */
  took: Map<number, number>;
  /** Statements by shard. */
  statements: Map<string, number>;
}

/** Outcomes of a call that are no failures: with the last two its caller had gone, or it was not let in. */
const NO_FAILURE = ["ok", "abandoned", "overloaded"];

export function totalsOf(metrics: Metric[]): Totals {
  const byName = new Map(metrics.map((metric) => [metric.name, metric.values]));
  type Value = Metric["values"][0];
  const sum = (name: string, isCounted: (value: Value) => boolean = () => true) =>
    (byName.get(name) ?? []).filter(isCounted).reduce((total, { value }) => total + value, 0);
  const grouped = (name: string, series: string, label: string) => {
    const groups = new Map<string, number>();
    for (const { value, labels, metricName } of byName.get(name) ?? []) {
      const group = String(labels[label]);
      if (metricName === series) groups.set(group, (groups.get(group) ?? 0) + value);
    }
    return groups;
  };
  const took = [...grouped("kv_call_seconds", "kv_call_seconds_bucket", "le")];
  return {
    calls: sum("kv_calls_total"),
    failed: sum("kv_calls_total", ({ labels }) => !NO_FAILURE.includes(String(labels.outcome))),
    refused: sum("kv_refused_total"),
    batches: sum("kv_batch_rows", ({ metricName }) => metricName === "kv_batch_rows_count"),
    rows: sum("kv_batch_rows", ({ metricName }) => metricName === "kv_batch_rows_sum"),
    batchedCalls: sum("kv_batch_calls_total"),
    took: new Map(took.map(([bound, count]) => [bound === "+Inf" ? Infinity : Number(bound), count] as const)),
    statements: grouped("kv_shard_statement_seconds", "kv_shard_statement_seconds_count", "shard"),
  };
}

/** The value of a metric that is one number; null where there is none. */
export function gauge(metrics: Metric[], name: string): number | null {
  return metrics.find((metric) => metric.name === name)?.values[0]?.value ?? null;
}

/** A server that began anew counts from zero: a counter never goes down by itself. */
function growth(before: number, after: number): number {
  return after < before ? after : after - before;
}

export function between(before: Totals, after: Totals, seconds: number): Numbers {
  const grown = (name: keyof Counted) => growth(before[name], after[name]);
  const took = [...after.took].map(
    ([bound, count]) => [bound, growth(before.took.get(bound) ?? 0, count)] as [number, number],
  );
  const batches = grown("batches");
  return {
    callsPerSecond: grown("calls") / seconds,
    failedPerSecond: grown("failed") / seconds,
    refusedPerSecond: grown("refused") / seconds,
    p50Ms: quantileMs(took, 0.5),
    p99Ms: quantileMs(took, 0.99),
    rowsPerBatch: batches > 0 ? grown("rows") / batches : null,
    callsPerBatch: batches > 0 ? grown("batchedCalls") / batches : null,
  };
}

/** Statements a second, by shard. */
export function statementRates(before: Totals, after: Totals, seconds: number): Map<string, number> {
  const rates = [...after.statements].map(
    ([shard, count]) => [shard, growth(before.statements.get(shard) ?? 0, count) / seconds] as const,
  );
  return new Map(rates);
}

/** As Prometheus' histogram_quantile has it: within a bucket the times are taken as spread evenly. */
export function quantileMs(took: [bound: number, count: number][], quantile: number): number | null {
  const buckets = took.toSorted(([one], [other]) => one - other);
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all === 0) return null;
  const rank = quantile * all;
  const index = buckets.findIndex(([, count]) => count >= rank);
  const [bound, count] = buckets[index] as [number, number];
  const [lower, below] = buckets[index - 1] ?? [0, 0];
  if (bound === Infinity) return lower * 1_000;
  return (lower + ((bound - lower) * (rank - below)) / (count - below)) * 1_000;
}
