// What processes that serve together have told. What one has counted stays when it ends: a sum that falls would look to a
// monitor like one that began again at zero, and all that is left of it like news.

import { AggregatorRegistry } from "prom-client";
import type { Snapshot } from "./metrics.ts";

export class ToldByProcesses {
  private readonly latest = new Map<number, Snapshot>();
  private gone: Snapshot = [];

  told(process: number, snapshot: Snapshot) {
    this.latest.set(process, snapshot);
  }

  ended(process: number) {
    // What a gauge tells is over.
    const counted = this.latest.get(process)?.filter(({ type }) => String(type) !== "gauge") ?? [];
    this.latest.delete(process);
    const sums = AggregatorRegistry.aggregate([this.gone, counted]).getMetricsAsArray() as unknown as Snapshot;
    // Without their methods, which no message takes.
    this.gone = sums.map(({ name, help, type, aggregator, values }) => ({ name, help, type, aggregator, values }));
  }

  all(): Snapshot[] {
    return [this.gone, ...this.latest.values()];
  }
}
