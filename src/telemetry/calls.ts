// Calls of the store, whichever interface they came through: how they end, how long they take, how they are batched.

import { Gauge, type Registry } from "prom-client";
import type { Journal, JournalCall } from "./journal.ts";
import { Count, Distribution, Family } from "./series.ts";
import type { Tracing } from "./tracing.ts";

const ROWS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Told from the beginning, so that a monitor sees the first of each as a change. */
const KINDS = ["get", "head", "put", "delete", "expire", "persist", "update", "transact", "list"];
const OUTCOMES = ["ok", "abandoned", "unavailable", "overloaded", "outcome_unknown", "internal"];

export interface Load {
  calls: number;
  bytes: number;
}

interface Kind {
  seconds: Distribution;
  ok: Count;
}

export class Calls {
  private readonly kinds = new Map<string, Kind>();
  private readonly ends: Family<Count, "kind" | "outcome">;
  private readonly seconds: Family<Distribution, "kind">;
  private readonly queued: Distribution;
  private readonly refusals: Family<Count, "reason">;
  private readonly rows: Family<Distribution, "lane">;
  private readonly batched: Family<Count, "lane">;
  private readonly retries: Family<Count, "reason">;
  private readonly full: Count;

  /** Does the work of a batch; undefined where nothing is traced. */
  readonly around: Tracing["around"] | undefined;

  constructor(
    private readonly registry: Registry,
    private readonly journal: Journal,
    tracing?: Tracing,
  ) {
    this.around = tracing?.around;
    const count = () => new Count();
    this.ends = new Family(registry, {
      name: "kv_calls_total",
      help: "Calls of the store by how they ended; those of a batch request each for itself",
      ...{ type: "counter", labels: ["kind", "outcome"], make: count },
    });
    for (const kind of KINDS) for (const outcome of OUTCOMES) this.ends.of(kind, outcome);
    this.seconds = new Family(registry, {
      name: "kv_call_seconds",
      help: "From a call's arrival to its end, waiting included",
      ...{ type: "histogram", labels: ["kind"], make: () => new Distribution() },
    });
    this.queued = new Family(registry, {
      name: "kv_call_queue_seconds",
      help: "From a call's arrival to when its first statement was sent",
      ...{ type: "histogram", labels: [], make: () => new Distribution() },
    }).of();
    this.refusals = new Family(registry, {
      name: "kv_refused_total",
      help: "Calls that were not let in: at the door of a full server, or for the bound on calls or on bytes",
      ...{ type: "counter", labels: ["reason"], make: count },
    });
    this.full = this.refusals.of("full");
    for (const reason of ["calls", "bytes"]) this.refusals.of(reason);
    this.rows = new Family(registry, {
      name: "kv_batch_rows",
      help: "Keys of a batch",
      ...{ type: "histogram", labels: ["lane"], make: () => new Distribution(ROWS) },
    });
    this.batched = new Family(registry, {
      name: "kv_batch_calls_total",
      help: "Calls that batches were sent for; those on one key share a row",
      ...{ type: "counter", labels: ["lane"], make: count },
    });
    this.retries = new Family(registry, {
      name: "kv_retries_total",
      help: "Calls sent again because the database did not take them, or because another write was first",
      ...{ type: "counter", labels: ["reason"], make: count },
    });
    for (const reason of ["unavailable", "conflict"]) this.retries.of(reason);
  }

  /** Of what a server has that bounds its queues. */
  watch(load: () => Load, limits: Load) {
    const { registry } = this;
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        ...{ name, help, registers: [registry] },
        collect() {
          this.set(value());
        },
      });
    gauge("kv_waiting_calls", "Calls that wait or are under way", () => load().calls);
    gauge("kv_waiting_calls_limit", "Beyond so many, calls are refused", () => limits.calls);
    gauge("kv_waiting_bytes", "Their keys and values, and what is being received", () => load().bytes);
    gauge("kv_waiting_bytes_limit", "Beyond so many, calls are refused", () => limits.bytes);
  }

  turnedAway() {
    this.full.value += 1;
  }

  settled(call: JournalCall, outcome: string) {
    const { kind, arrivedAt, sentAt } = call;
    let known = this.kinds.get(kind);
    if (!known) {
      known = { seconds: this.seconds.of(kind), ok: this.ends.of(kind, "ok") };
      this.kinds.set(kind, known);
    }
    const now = performance.now();
    known.seconds.add((now - arrivedAt) / 1000);
    if (sentAt !== undefined) this.queued.add((sentAt - arrivedAt) / 1000);
    if (outcome === "ok") known.ok.value += 1;
    else this.ends.of(kind, outcome).value += 1;
    this.journal.settled(call, outcome, now);
  }

  refused(reason: string) {
    this.refusals.of(reason).value += 1;
  }

  sent(lane: string, rows: number, calls: number) {
    this.rows.of(lane).add(rows);
    this.batched.of(lane).value += calls;
  }

  again(reason: string, calls: number) {
    this.retries.of(reason).value += calls;
  }
}
