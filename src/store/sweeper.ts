// The sweep of a server: one task for each shard that there is, as shards come and go.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Backend } from "./backend.ts";
import { connect, type Database, type Rows } from "./connect.ts";
import type { Latency } from "./latency.ts";
import { leaseKey } from "./lease.ts";
import { ShardSweep } from "./shard-sweep.ts";
import { replicaLag, type Shards, urlOfShard } from "./shards.ts";
import { SqlStore } from "./sql.ts";
import type { EntryKey } from "./store.ts";
import type { SweepReport } from "./sweep-report.ts";
import { Turns } from "./turns.ts";

const FOLLOW_MS = 1_000;
const LAG_MS = 1_000;
/** A primary may move. */
const MACHINE_MS = 10_000;
const TIMEOUT_MS = 2_000;
/** Leases are renewed every few seconds, so few connections serve many shards. */
const CONNECTIONS = 2;
const QUEUE = 100_000;

export interface SweeperOptions {
  url: string;
  backend: Backend;
  keyspace: string;
  shards: Shards;
  latency: Latency;
  /** A name for this server. */
  holder: string;
  log: Logger;
}

export class Sweeper {
  private readonly tasks = new Map<string, ShardSweep>();
  private readonly stopping = new Set<Promise<void>>();
  /** By machine: sweeping several of its shards at once would only keep it from answering. */
  private readonly turns = new Turns();
  private readonly end = new AbortController();
  private readonly ended: Promise<void>;
  /** For leases, and questions about all shards. Its own, so that callers who take all of theirs can't stop the sweep. */
  private readonly database: Database;

  constructor(private readonly options: SweeperOptions) {
    const { url, backend } = options;
    this.database = connect({ url, backend, connections: CONNECTIONS, queueLimit: QUEUE });
    this.ended = this.follow();
  }

  /** Ends what is under way, and gives all leases back. */
  async stop() {
    this.end.abort();
    await this.ended;
  }

  /** Whether a step is under way at this moment. */
  get isSweeping(): boolean {
    return this.tasks.values().some((task) => task.isSweeping);
  }

  /** By shard: what is known of its sweep, whoever does it. */
  status(): Map<string, SweepReport> {
    return new Map([...this.tasks].map(([shard, task]) => [shard, task.status()]));
  }

  private async follow() {
    const { signal } = this.end;
    while (!signal.aborted) {
      const shards = new Set(this.options.shards.names());
      for (const shard of this.tasks.keys()) if (!shards.has(shard)) this.drop(shard);
      for (const shard of shards) if (!this.tasks.has(shard)) this.tasks.set(shard, this.sweep(shard));
      await sleep(FOLLOW_MS, undefined, { signal, ref: false }).catch(() => {});
    }
    for (const shard of this.tasks.keys()) this.drop(shard);
    await Promise.all(this.stopping);
    await this.database.close();
  }

  private sweep(shard: string): ShardSweep {
    const { url, backend, keyspace, shards, latency, holder, log } = this.options;
    const { database } = this;
    const lagSeconds = backend === "vitess" ? sampled(LAG_MS, 0, () => replicaLag(database, keyspace, shard)) : () => 0;
    return new ShardSweep({
      store: new SqlStore(database, { deadlineMs: 0 }),
      leaseKey: sweepLeaseKey(shard, shards),
      holder,
      log: log.child({ shard }),
      open: () => {
        const primary = connect({ url: urlOfShard(url, shard), backend, connections: 1, queueLimit: 2 });
        const machine = sampled(MACHINE_MS, "", () => machineOf(primary));
        return {
          store: new SqlStore(primary, { deadlineMs: 0 }),
          turn: (work) => this.turns.take(machine(), work),
          close: () => primary.close(),
        };
      },
      pressure: () => ({ lagSeconds: lagSeconds(), slowdown: latency.slowdown }),
    });
  }

  private drop(shard: string) {
    const stopped = this.tasks.get(shard)?.stop();
    this.tasks.delete(shard);
    if (!stopped) return;
    this.stopping.add(stopped);
    stopped.finally(() => this.stopping.delete(stopped));
  }
}

/** The name of the machine that a connection leads to. */
async function machineOf(database: Database): Promise<string> {
  const statement = { name: "hostname", sql: "SELECT @@hostname AS name", params: [], writes: false };
  const [row] = await database.execute<Rows>(statement, TIMEOUT_MS);
  return String(row?.name);
}

/** What was found out last; asked anew, without waiting for it, where that is longer ago than `ms`. */
function sampled<T>(ms: number, first: T, ask: () => Promise<T>): () => T {
  let latest = first;
  let askedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - askedAt > ms) {
      askedAt = performance.now();
      ask().then(
        (answer) => {
          latest = answer;
        },
        () => {},
      );
    }
    return latest;
  };
}

/** The lease of a shard's sweep, an entry in that very shard: so no shard's sweep depends on another. */
export function sweepLeaseKey(shard: string, { shardOf }: Shards): EntryKey {
  for (let n = 0; ; n++) {
    const key = leaseKey(`sweep/${shard}/${n}`);
    if (shardOf(key) === shard) return key;
  }
}
