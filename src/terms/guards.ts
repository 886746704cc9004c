// The fences of all shards, each with connections of its own to its shard's primary.

import type { Logger } from "pino";
import { type ConnectOptions, connect, type Database } from "../database/connect.ts";
import type { Fence } from "../database/fence.ts";
import { observed } from "../database/observed.ts";
import { Opened } from "../database/opened.ts";
import type { Shards } from "../database/shards.ts";
import { selectTermFacts } from "../database/terms.ts";
import { urlOfShard } from "../database/url.ts";
import { StoreError } from "../store/error.ts";
import { newVersion } from "../store/version.ts";
import { LeaseClock } from "./clock.ts";
import { Guard } from "./guard.ts";
import { LeaseKeys, primaryOf } from "./primary.ts";
import { Terms } from "./terms.ts";

/** Of a shard's: one renews, one looks. */
const CONNECTIONS = 2;
/** While replicas are asked, for them to tell how far behind they are. */
const BEAT_MS = 1_000;
/** Shards that a server looks at before it is asked for what they have. */
const LOOKED_AT = 64;

export interface GuardsOptions {
  connect: ConnectOptions;
  shards: Shards;
  /** How long leases are; not 0. */
  leaseMs: number;
  log?: Logger;
}

interface OfShard {
  database: Database;
  primary: Guard;
  replica: Fence;
}

export class Guards {
  private readonly terms: Terms;
  private readonly keys: LeaseKeys;
  private readonly clock = new LeaseClock();
  private readonly opened: Opened<OfShard>;
  /** Of the entries that this process writes. */
  private readonly beat = newVersion();

  constructor(private readonly options: GuardsOptions) {
    this.terms = new Terms(options.leaseMs);
    this.keys = new LeaseKeys(options.shards);
    this.opened = new Opened(options.shards);
  }

  at(shard: string, type: "primary" | "replica"): Fence {
    return this.of(shard)[type];
  }

  /** Has a look at the first shards, so that a small store's first answers need not wait. */
  begin() {
    for (const shard of this.options.shards.names().slice(0, LOOKED_AT)) {
      const { primary } = this.of(shard);
      primary.begin().catch(() => {});
    }
  }

  close() {
    return this.opened.close();
  }

  private of(shard: string): OfShard {
    return this.opened.at(shard, "guard", () => this.open(shard));
  }

  private open(shard: string): OfShard {
    const { connect: options, leaseMs: holdMs, log } = this.options;
    const connected = connect({ ...options, url: urlOfShard(options.url, shard), connections: CONNECTIONS });
    const database = observed(connected, { shard, type: "primary" }, options.observer);
    const { terms, keys, clock, beat } = this;
    const primary = primaryOf({ shard, keys, database, beat, selectFacts: selectTermFacts });
    const guard = new Guard({ shard, terms, clock, holdMs, primary, packets: true, log });
    return { database, primary: guard, replica: this.fenceOfReplicas(shard, guard) };
  }

  /** What is too old is asked again, of the primary. */
  private fenceOfReplicas(shard: string, guard: Guard): Fence {
    return {
      packets: false,
      beat: this.keys.beatAt(shard, this.beat),
      pass: ({ tags, receivedAtMs }) => {
        const receivedAt = this.clock.at(receivedAtMs);
        if (guard.beats.isDue(receivedAt, BEAT_MS)) guard.renew().catch(() => {});
        if (guard.beats.isFresh(tags[0], receivedAt)) return undefined;
        return Promise.reject(new StoreError("unavailable", "a replica is too far behind"));
      },
    };
  }
}
