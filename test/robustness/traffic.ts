// Clients that do everything that can be done with a key, on few keys that all of them fight for and on many. Keys are
// given up for new ones every few seconds, so that no key's history grows longer than can be checked.

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.ts";
import type { Asked, Call } from "./history.ts";
import { Random } from "./random.ts";
import { isForBatches } from "./requests.ts";

/**
 * A `recall` gets a key that may have been given up seconds ago, a `swap` counts by reading and swapping, and a `batch` is
 * several of the others in one request.
 */
type Action = Asked["op"] | "recall" | "keep" | "put_ttl" | "expire_if" | "swap" | "batch";

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
    recall: 4,
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
    swap: 4,
    increment: 8,
    batch: 8,
    peek: 6,
  },
};

export interface TrafficOptions {
  /** Of the servers. */
  ports: number[];
  /** Whether a client has one server alone, and else goes to another that answers. */
  stay?: boolean;
  /** Whether there are more clients, which only read. */
  readers?: boolean;
  withoutTtls?: boolean;
  profile: Profile;
  seed: number;
  /** Begins the names of all keys; no two traffics may have the same. */
  prefix: string;
  shards: string[];
  /** Of a key of this traffic's; may go out of date. */
  shardOf: (key: string) => string;
}

/** Of each shard, those that only read, and what. */
const READERS = 4;
const READING = { get: 4, recall: 4, head: 1, ttl: 1 };
/** How many calls of the last reading of every key are under way at once. */
const AUDITORS = 16;
const AUDIT_TRIES = 10;
const AUDIT_PAUSE_MS = 500;

/** Calls of a batch. */
const BATCH = { least: 2, most: 8 };
/** What is done to counters that are made and go again; those that only count are incremented and read. */
const COUNTING = { tallies: 3, sum: { increment: 3, get: 1 }, tally: { increment: 6, get: 3, delete: 1, expire: 1 } };
const INCREMENT_MOST = 9;
/** Keys of a shard that a peek takes one of: so many that the oldest were given up longer ago than a replica may be behind. */
const PEEKED = 600;
/** The same of a recall: what was written last before a primary was gone is asked for while there is no other. */
const RECALLED = 150;

const EXPIRE_CONDITIONS = ["nx", "xx", "gt", "lt"] as const;

export class Traffic {
  readonly calls: Call[] = [];
  private readonly begun = performance.now();
  private readonly end = new AbortController();
  private readonly clients: Promise<void>[];
  private readonly shards = new Map<string, string>();
  /** By shard, its keys in the order in which they were first used. */
  private readonly used = new Map<string, string[]>();
  /** The entity tag that was last seen of a key, by whichever client. */
  private readonly etags = new Map<string, string>();
  private values = 0;

  constructor(private readonly options: TrafficOptions) {
    const { shards, profile, readers } = options;
    const each = profile.clients + (readers ? READERS : 0);
    this.clients = shards.flatMap((shard, s) =>
      Array.from({ length: each }, (_, i) =>
        this.run(shard, s * each + i, i < profile.clients ? profile.weights : READING),
      ),
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

  private async run<T extends Action>(shard: string, number: number, weights: Record<T, number>) {
    const { ports, stay, profile, seed } = this.options;
    const random = new Random(seed * 1_000 + number);
    const preferred = number % 2 === 0 ? ports : ports.toReversed();
    const client = new Client(stay ? preferred.slice(0, 1) : preferred);
    while (!this.end.signal.aborted) {
      await sleep(random.below(profile.pauseMs));
      await this.act(client, random.pick(weights), shard, random);
    }
    client.close();
  }

  private async act(client: Client, action: Action, shard: string, random: Random) {
    if (action === "swap") return await this.swap(client, shard);
    if (action !== "batch") return await this.record(client, this.asked(action, shard, random), shard);
    const count = random.between(BATCH.least, BATCH.most);
    const { swap: _, batch: __, ...weights } = this.options.profile.weights;
    const all = Array.from({ length: count }, () => this.asked(random.pick(weights), shard, random));
    const batch = all.filter(isForBatches);
    if (batch.length > 0) this.keep(await client.batch(batch, shard));
  }

  private asked(action: Exclude<Action, "swap" | "batch">, shard: string, random: Random): Asked {
    const asked = this.chosen(action, shard, random);
    if (!this.options.withoutTtls) return asked;
    const { ttlMs: _, ...forEver } = asked;
    return asked.op === "expire" ? { op: "get", key: asked.key } : forEver;
  }

  private chosen(action: Exclude<Action, "swap" | "batch">, shard: string, random: Random): Asked {
    if (action === "increment") return this.counting(shard, random);
    if (action === "peek") return { op: "peek", key: this.usedKey(shard, PEEKED, random) };
    if (action === "recall") return { op: "get", key: this.usedKey(shard, RECALLED, random) };
    const { hot, many } = this.options.profile.keys;
    const isHot = random.next() < this.options.profile.hotShare;
    const key = this.keyOf(shard, isHot ? `hot${random.below(hot)}` : `many${random.below(many)}`);
    const ttlMs = this.ttlMs(random);
    const value = `${this.options.prefix}-${this.values++}`;
    switch (action) {
      case "put_ttl":
        return { op: "put", key, value, ttlMs };
      case "keep":
        return { op: "put", key, value, keepTtl: true };
      case "cas":
      case "release": {
        const ifMatch = this.etags.get(key);
        if (!ifMatch) return { op: "get", key };
        return { op: action, key, ifMatch, ...(action === "cas" && { value }) };
      }
      case "expire":
        return { op: "expire", key, ttlMs };
      case "expire_if":
        return { op: "expire", key, ttlMs, if: EXPIRE_CONDITIONS[random.below(EXPIRE_CONDITIONS.length)] };
      case "put":
      case "create":
        return { op: action, key, value };
      default:
        return { op: action, key };
    }
  }

  /** What is done to a counter that is incremented: to one that only counts, or to one that goes now and then. */
  private counting(shard: string, random: Random): Asked {
    const isSum = random.next() < 0.5;
    const key = this.keyOf(shard, isSum ? "sum" : `tally${random.below(COUNTING.tallies)}`);
    const op = isSum ? random.pick(COUNTING.sum) : random.pick(COUNTING.tally);
    const by = random.between(1, INCREMENT_MOST);
    if (op === "increment") return { op, key, by, ...(!isSum && random.next() < 0.5 && { ttlMs: this.ttlMs(random) }) };
    return { op, key, ...(op === "expire" && { ttlMs: this.ttlMs(random) }) };
  }

  /** Adds one to the counter by reading it and writing it if it is still that one; not again if it is not. */
  private async swap(client: Client, shard: string) {
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

  private ttlMs(random: Random): number {
    const { least, most } = this.options.profile.ttlMs;
    return random.between(least, most);
  }

  /** One of this round or of the last ones. */
  private usedKey(shard: string, most: number, random: Random): string {
    const used = this.used.get(shard) ?? [];
    const recent = used.slice(-most);
    return recent[random.below(recent.length)] ?? this.keyOf(shard, "hot0");
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
        this.used.set(shard, [...(this.used.get(shard) ?? []), key]);
        return key;
      }
    }
  }

  private async record(client: Client, asked: Asked, shard: string): Promise<Call> {
    const call = await client.call(asked, shard);
    this.keep([call]);
    return call;
  }

  private keep(calls: Call[]) {
    for (const { key, got } of calls) if (got.etag) this.etags.set(key, got.etag);
    this.calls.push(...calls);
  }
}
