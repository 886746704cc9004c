// Clients that do everything that can be done with a key, on few keys that all of them fight for and on many. Keys are
// given up for new ones every few seconds, so that no key's history grows longer than can be checked.

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.ts";
import type { Asked, Call } from "./history.ts";
import { Random } from "./random.ts";

type Action = Asked["op"] | "keep" | "put_ttl" | "expire_if" | "increment";

/** How much is done of what. */
export interface Profile {
  /** Of each shard. */
  clients: number;
  /** The most that a client waits between calls; half of it on average. */
  pauseMs: number;
  /** Of each shard, at a time. */
  keys: { hot: number; many: number };
  /** Of the calls, those on hot keys. */
  hotShare: number;
  /** How long keys are used. */
  roundMs: number;
  ttlMs: { least: number; most: number };
  weights: Record<Action, number>;
}

export const PROFILE: Profile = {
  clients: 10,
  pauseMs: 120,
  keys: { hot: 4, many: 60 },
  hotShare: 0.6,
  roundMs: 3_000,
  ttlMs: { least: 20, most: 1_500 },
  weights: {
    get: 30,
    head: 4,
    ttl: 4,
    put: 18,
    put_ttl: 8,
    keep: 2,
    create: 6,
    cas: 12,
    delete: 4,
    release: 4,
    expire: 4,
    expire_if: 6,
    persist: 3,
    increment: 4,
  },
};

export interface TrafficOptions {
  /** Of the servers. */
  ports: number[];
  profile: Profile;
  seed: number;
  /** Begins the names of all keys; no two traffics may have the same. */
  prefix: string;
  shards: string[];
  /** Of a key of this traffic's; may go out of date. */
  shardOf: (key: string) => string;
}

/** How many calls of the last reading of every key are under way at once. */
const AUDITORS = 16;
const AUDIT_TRIES = 10;
const AUDIT_PAUSE_MS = 500;

const EXPIRE_CONDITIONS = ["nx", "xx", "gt", "lt"] as const;

export class Traffic {
  readonly calls: Call[] = [];
  private readonly begun = performance.now();
  private readonly end = new AbortController();
  private readonly clients: Promise<void>[];
  private readonly shards = new Map<string, string>();
  /** The entity tag that was last seen of a key, by whichever client. */
  private readonly etags = new Map<string, string>();
  private values = 0;

  constructor(private readonly options: TrafficOptions) {
    const { shards, profile } = options;
    this.clients = shards.flatMap((shard, s) =>
      Array.from({ length: profile.clients }, (_, i) => this.run(shard, s * profile.clients + i)),
    );
  }

  /** Ends it when the calls that are under way have ended. */
  async stop() {
    this.end.abort();
    await Promise.all(this.clients);
  }

  /** Reads every key that was used once more. */
  async audit() {
    const keys = [...this.shards].values();
    const auditor = async () => {
      const client = new Client(this.options.ports);
      for (const [key, shard] of keys) {
        for (let i = 0; i < AUDIT_TRIES; i++) {
          if ((await this.record(client, { op: "get", key }, shard)).outcome === "ok") break;
          await sleep(AUDIT_PAUSE_MS);
        }
      }
      client.close();
    };
    await Promise.all(Array.from({ length: AUDITORS }, auditor));
  }

  private async run(shard: string, number: number) {
    const { ports, profile, seed } = this.options;
    const random = new Random(seed * 1_000 + number);
    const client = new Client(number % 2 === 0 ? ports : ports.toReversed());
    while (!this.end.signal.aborted) {
      await sleep(random.below(profile.pauseMs));
      await this.act(client, random.pick(profile.weights), shard, random);
    }
    client.close();
  }

  private async act(client: Client, action: Action, shard: string, random: Random) {
    const { profile } = this.options;
    const { hot, many } = profile.keys;
    const isHot = random.next() < profile.hotShare;
    const key = this.keyOf(shard, isHot ? `hot${random.below(hot)}` : `many${random.below(many)}`);
    const ttlMs = random.between(profile.ttlMs.least, profile.ttlMs.most);
    const value = `${this.options.prefix}-${this.values++}`;
    const ask = (asked: Omit<Asked, "key">) => this.record(client, { key, ...asked }, shard);
    switch (action) {
      case "put_ttl":
        return await ask({ op: "put", value, ttlMs });
      case "keep":
        return await ask({ op: "put", value, keepTtl: true });
      case "cas":
      case "release": {
        const ifMatch = this.etags.get(key);
        if (!ifMatch) return await ask({ op: "get" });
        return await ask({ op: action, ifMatch, ...(action === "cas" && { value }) });
      }
      case "expire":
        return await ask({ op: "expire", ttlMs });
      case "expire_if":
        return await ask({ op: "expire", ttlMs, if: EXPIRE_CONDITIONS[random.below(EXPIRE_CONDITIONS.length)] });
      case "increment":
        return await this.increment(client, shard);
      case "put":
      case "create":
        return await ask({ op: action, value });
      default:
        return await ask({ op: action });
    }
  }

  /** Adds one to the counter by reading it and writing it if it is still that one; not again if it is not. */
  private async increment(client: Client, shard: string) {
    const key = this.keyOf(shard, "counter");
    const { outcome, held, got } = await this.record(client, { op: "get", key }, shard);
    if (outcome !== "ok") return;
    const count = Number(got.value?.split("-")[0] ?? 0);
    const value = `${count + 1}-${this.options.prefix}-${this.values++}`;
    await this.record(
      client,
      held ? { op: "cas", key, value, ifMatch: got.etag } : { op: "create", key, value },
      shard,
    );
  }

  /** A name of the present round that lies in the shard. */
  private keyOf(shard: string, name: string): string {
    const { prefix, profile, shardOf } = this.options;
    const round = Math.floor((performance.now() - this.begun) / profile.roundMs);
    for (let n = 0; ; n++) {
      const key = `${name}-${prefix}-${round}-${n}`;
      // A key is always of the shard that it was of at first.
      const known = this.shards.get(key);
      if (known === shard) return key;
      if (known === undefined && shardOf(key) === shard) {
        this.shards.set(key, shard);
        return key;
      }
    }
  }

  private async record(client: Client, asked: Asked, shard: string): Promise<Call> {
    const call = await client.call(asked, shard);
    if (call.got.etag) this.etags.set(call.key, call.got.etag);
    this.calls.push(call);
    return call;
  }
}
