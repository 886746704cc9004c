// The fences of a Worker's invocations. Each has one connection, which leads by vtgate's plan; what outlives it is data, and
// no clock is to be trusted for a lease. So a read is told once a commit was acknowledged that was sent after it.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database } from "../database/connect.ts";
import type { Answered, Fence } from "../database/fence.ts";
import { ONE_SHARD, readShards, type Shards } from "../database/shards.ts";
import { selectTermFactsByKey } from "../database/terms.ts";
import { StoreError } from "../store/error.ts";
import type { EntryKey } from "../store/store.ts";
import { Turns } from "./clock.ts";
import { Guard, held } from "./guard.ts";
import { LeaseKeys, primaryOf } from "./primary.ts";
import { Terms } from "./terms.ts";

/** Rows of a shard that its reads write, so that invocations seldom wait for each other's locks. */
const ROWS = 256;
const LOOK_AGAIN_MS = 100;
/** What a MySQL says to Vitess's own statements. */
const SYNTAX_ERROR = "ER_PARSE_ERROR";

export interface InvocationsOptions {
  /** xxHash64 with seed 0. */
  hash: (key: Uint8Array) => bigint;
  /** How long the leases of others are; not 0. */
  leaseMs: number;
  log?: Logger;
}

export interface InvocationFence extends Fence {
  /** Looks again which shards there are. Never fails. */
  refresh(): Promise<void>;
}

/** Of one isolate, from one invocation to the next. */
export class Invocations {
  /** Without leases that would cover a read. */
  private readonly terms = new Terms(0);
  private readonly turns = new Turns();
  private map: { shards: Shards; keys: LeaseKeys } | undefined;

  constructor(private readonly options: InvocationsOptions) {}

  /** As far as it is known by now: without a name until an invocation has looked. */
  shardOf(key: EntryKey): string {
    return this.map?.shards.shardOf(key) ?? "";
  }

  /** What is under way here is this invocation's own, since the next one could not wait for it. */
  begin(database: Database, keyspace: string): InvocationFence {
    const guards = new Map<string, Guard>();
    let looking: Promise<void> | undefined;
    const look = () => {
      looking ??= this.look(database, keyspace).finally(() => {
        looking = undefined;
      });
      return looking;
    };
    const pass = (answer: Answered, deadline: number): Promise<void> | undefined => {
      const { key, writes } = answer;
      // All shards answer a scan together, and one of them is heard of.
      if (!key) return undefined;
      if (!this.map) {
        const looked = async () => {
          while (!this.map) {
            if (performance.now() >= deadline) throw new StoreError("unavailable", "nobody knows the shards");
            await look().catch(() => sleep(LOOK_AGAIN_MS));
          }
          await pass(answer, deadline);
        };
        return held(looked(), writes, deadline);
      }
      if (this.map.shards === ONE_SHARD) return undefined;
      const shard = this.shardOf(key);
      const guard = guards.get(shard) ?? this.guardOf(shard, this.map.keys, database);
      guards.set(shard, guard);
      // In turns, which are only counted where answers come, a statement was sent at any time before.
      return guard.pass({ ...answer, sentAtMs: Number.NEGATIVE_INFINITY }, deadline);
    };
    return { packets: false, pass, refresh: () => look().catch(() => {}) };
  }

  private guardOf(shard: string, keys: LeaseKeys, database: Database): Guard {
    const { leaseMs: holdMs, log } = this.options;
    const beat = `worker-${Math.floor(Math.random() * ROWS)}`;
    const primary = primaryOf({ shard, keys, database, beat, selectFacts: selectTermFactsByKey });
    return new Guard({ shard, terms: this.terms, clock: this.turns, holdMs, primary, packets: false, log });
  }

  private async look(database: Database, keyspace: string) {
    const shards = await readShards(database, { backend: "vitess", keyspace, hash: this.options.hash }).catch(
      (error) => {
        if (error instanceof StoreError && error.reason.startsWith(SYNTAX_ERROR)) return ONE_SHARD;
        throw error;
      },
    );
    this.map = { shards, keys: new LeaseKeys(shards) };
  }
}
