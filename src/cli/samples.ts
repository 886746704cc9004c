// Prometheus's text format as far as rates need it.

export interface Sample {
  atMs: number;
  /** By series, its name with its labels. */
  values: Map<string, number>;
  counters: Set<string>;
}

export interface Reading {
  series: string;
  /** A second, where it is a rate. */
  value: number;
  isRate: boolean;
}

const LINE = /^(?<name>[\w:]+)(?<labels>\{.*\})? (?<value>\S+)/;

export function sampleOf(text: string, atMs: number): Sample {
  const sample: Sample = { atMs, values: new Map(), counters: new Set() };
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (name && type) types.set(name, type);
    const found = LINE.exec(line)?.groups as { name: string; labels?: string; value: string } | undefined;
    if (!found || found.name.endsWith("_bucket")) continue;
    const series = found.name + (found.labels ?? "");
    sample.values.set(series, Number(found.value));
    const family = found.name.replace(/_(sum|count)$/, "");
    const isSummed = family !== found.name && /histogram|summary/.test(types.get(family) ?? "");
    if (types.get(found.name) === "counter" || isSummed) sample.counters.add(series);
  }
  return sample;
}

/** Counters as what they grew by each second; a server that began again counts from zero. Gauges as they are. */
export function ratesBetween(before: Sample, after: Sample): Reading[] {
  const seconds = (after.atMs - before.atMs) / 1000;
  return [...after.values].map(([series, value]) => {
    if (!after.counters.has(series)) return { series, value, isRate: false };
    const earlier = before.values.get(series) ?? 0;
    return { series, value: (value < earlier ? value : value - earlier) / seconds, isRate: true };
  });
}
