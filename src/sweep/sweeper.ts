// The sweep of a server: one task for each shard that there is, as shards come and go.

import type { Logger } from "pino";
import { directStore } from "../batching/direct.ts";
import type { Backend } from "../database/backend.ts";
import { connect, type Database, type Rows } from "../database/connect.ts";
import { ExpiredRows } from "../database/expired.ts";
import { replicaLag, type Shards } from "../database/shards.ts";
import { Table } from "../database/table.ts";
import { keyspaceOf, urlOfShard } from "../database/url.ts";
import type { EntryKey } from "../store/store.ts";
import type { Latency } from "./latency.ts";
import { LEASE_CALL_MS, leaseKey } from "./lease.ts";
import type { SweepStatus } from "./report.ts";
import { pause, ShardSweep } from "./shard.ts";
import { Turns } from "./turns.ts";

const FOLLOW_MS = 1_000;
const LAG_MS = 1_000;
/** A primary may move. */
const MACHINE_MS = 10_000;
const TIMEOUT_MS = 2_000;
/** For the leases: enough that some which hang, in shards that do, hold up no others. Opened when needed. */
const LEASE_CONNECTIONS = 32;
/** For questions that nobody waits for. */
const QUESTION_CONNECTIONS = 2;
const QUEUE = 100_000;

export interface SweeperOptions {
  url: string;
  backend: Backend;
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
  /** Its own, so that callers who take all of theirs can't stop the sweep. */
  private readonly leases: Database;
  private readonly questions: Database;
  /** Steps under way. */
  private steps = 0;

  constructor(private readonly options: SweeperOptions) {
    const { url, backend } = options;
    const open = (connections: number) => connect({ url, backend, connections, queueLimit: QUEUE });
    this.leases = open(LEASE_CONNECTIONS);
    this.questions = open(QUESTION_CONNECTIONS);
    this.ended = this.follow();
  }

  /** Ends what is under way, and gives all leases back. */
  async stop() {
    this.end.abort();
    await this.ended;
  }

  /** Whether a step is under way at this moment. */
  get isSweeping(): boolean {
    return this.steps > 0;
  }

  /** By shard: what is known of its sweep, whoever does it. */
  status(): Map<string, SweepStatus> {
    return new Map([...this.tasks].map(([shard, task]) => [shard, task.status()]));
  }

  private async follow() {
    const { signal } = this.end;
    while (!signal.aborted) {
      const shards = new Set(this.options.shards.names());
      for (const shard of this.tasks.keys()) if (!shards.has(shard)) this.drop(shard);
      for (const shard of shards) if (!this.tasks.has(shard)) this.tasks.set(shard, this.sweep(shard));
      await pause(FOLLOW_MS, signal);
    }
    for (const shard of this.tasks.keys()) this.drop(shard);
    await Promise.all(this.stopping);
    await Promise.all([this.leases.close(), this.questions.close()]);
  }

  private sweep(shard: string): ShardSweep {
    const { url, backend, shards, latency, holder, log } = this.options;
    const lagSeconds =
      backend === "vitess" ? sampled(LAG_MS, 0, () => replicaLag(this.questions, keyspaceOf(url), shard)) : () => 0;
    return new ShardSweep({
      store: directStore(new Table(this.leases), LEASE_CALL_MS),
      leaseKey: sweepLeaseKey(shard, shards),
      holder,
      log: log.child({ shard }),
      open: () => {
        const primary = connect({ url: urlOfShard(url, shard), backend, connections: 1, queueLimit: 2 });
        // Until it is known which it is, a machine of its own.
        const machine = sampled(MACHINE_MS, `of ${shard}`, () => machineOf(primary));
        return {
          expired: new ExpiredRows(primary),
          turn: (work) => this.turns.take(machine(), () => this.counted(work)),
          close: () => primary.close(),
        };
      },
      pressure: () => ({ lagSeconds: lagSeconds(), slowdown: latency.slowdown }),
    });
  }

  private async counted<T>(step: () => Promise<T>): Promise<T> {
    this.steps += 1;
    try {
      return await step();
    } finally {
      this.steps -= 1;
    }
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

/** What was found out last, asked anew, without waiting for it, where that is longer ago than `ms`; else `first`. */
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
        () => {
          latest = first;
        },
      );
    }
    return latest;
  };
}

/**
 * The lease of a shard's sweep, an entry in that very shard: so no shard's sweep depends on another. Throws where there
 * is no such shard, or no longer.
 */
export function sweepLeaseKey(shard: string, { names, shardOf }: Shards): EntryKey {
  if (!names().includes(shard)) throw new Error(`there is no shard ${shard}`);
  for (let n = 0; ; n++) {
    const key = leaseKey(`sweep/${shard}/${n}`);
    if (shardOf(key) === shard) return key;
  }
}
