// Statements at the database, and connections to it.

import { Gauge, type Registry } from "prom-client";
import { Count, Distribution, Family, Total } from "./series.ts";
import type { Tracing } from "./tracing.ts";

/** Names of errors in MySQL's and mysql2's form, perhaps with an SQLSTATE: what else an error says is not for a label. */
const REASON = /^[A-Z][A-Z0-9_]{2,60}( [0-9A-Z]{5})?$/;
/** There are as many kinds of failure as MySQL has errors; these are more than were ever seen. */
const FAILURES = 200;

export class Statements {
  private underWay = 0;
  private open = 0;
  private readonly seconds: Family<Distribution, "statement">;
  private readonly byShard: Family<Total, "shard" | "tablet" | "statement">;
  private readonly failures: Family<Count, "statement" | "code" | "reason">;

  constructor(
    registry: Registry,
    private readonly labelOf: (shard: string) => string,
    private readonly tracing?: Tracing,
  ) {
    this.seconds = new Family(registry, {
      name: "kv_statement_seconds",
      help: "From asking for a connection to a statement's answer, in all shards",
      ...{ type: "histogram", labels: ["statement"], make: () => new Distribution() },
    });
    this.byShard = new Family(registry, {
      name: "kv_shard_statement_seconds",
      help: "The same by shard, without buckets; with more than 64 shards, by 64th of the key space",
      ...{ type: "summary", labels: ["shard", "tablet", "statement"], make: () => new Total() },
    });
    this.failures = new Family(registry, {
      name: "kv_statement_failures_total",
      help: "Statements that failed, by what that means to a call and by the database's own code",
      ...{ type: "counter", labels: ["statement", "code", "reason"], make: () => new Count() },
    });
    const statements = this;
    new Gauge({
      name: "kv_statements_in_flight",
      help: "Statements whose answer is awaited, or that wait for a connection",
      registers: [registry],
      collect() {
        this.set(statements.underWay);
      },
    });
    new Gauge({
      name: "kv_connections",
      help: "Open connections to the database",
      registers: [registry],
      collect() {
        this.set(statements.open);
      },
    });
  }

  connections(change: number) {
    this.open += change;
  }

  began() {
    this.underWay += 1;
  }

  ended(
    statement: string,
    to: { shard: string; type: string },
    ms: number,
    failure?: { code: string; reason: string },
  ) {
    this.underWay -= 1;
    this.seconds.of(statement).add(ms / 1000);
    this.byShard.of(this.labelOf(to.shard), to.type, statement).add(ms / 1000);
    this.tracing?.statement(statement, to, performance.now() - ms, failure);
    if (!failure) return;
    const isKnown = REASON.test(failure.reason) && this.failures.size < FAILURES;
    this.failures.of(statement, failure.code, isKnown ? failure.reason : "other").value += 1;
  }
}
