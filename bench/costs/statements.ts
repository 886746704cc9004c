// What each statement of the store costs, by how many rows it has: sent as a server sends them, one at a time to each shard.

import { setTimeout as sleep } from "node:timers/promises";
import { inspectBackend } from "../../src/database/backend.ts";
import { connect, type Database } from "../../src/database/connect.ts";
import type { Fence } from "../../src/database/fence.ts";
import { watchShards } from "../../src/database/shards.ts";
import type { Change } from "../../src/database/statements.ts";
import { Table } from "../../src/database/table.ts";
import { urlOfRange } from "../../src/database/url.ts";
import { behindPrefix, type EntryKey, entryKey, keyName, type NewEntry } from "../../src/store/store.ts";
import { newRevision, newVersion, type Revision } from "../../src/store/version.ts";
import { step } from "../../vitess/support/progress.ts";
import { type Cores, clusterGroups, coresOf, type Groups, withCores } from "../cpu.ts";
import { truncate } from "../disk.ts";
import { uniform } from "../random.ts";
import type { Rig } from "../rig.ts";
import { ENTRY } from "../store.ts";
import { KEYS, VALUE_BYTES } from "../system.ts";
import { type Kind, USUAL } from "./calls.ts";
import {
  LARGE_BYTES,
  LAYERS,
  type Layer,
  type Layers,
  type MeasuredCosts,
  STATEMENTS,
  type StatementName,
} from "./costs.ts";

/** Rows of a statement, up to what a batch takes. */
export const SIZES = [1, 10, 50, 200, 500];
const SECONDS = 1;
const IDLE_SECONDS = 3;
const IDLE_SPANS = 4;
const DEADLINE_MS = 30_000;
const NAMESPACE = "costs";
/** Of a counter's value, so many bytes are read. */
const COUNTER_BYTES = 21;
/** The cluster's processes that do the work of a layer. */
export const GROUPS: Record<Exclude<Layer, "client">, string> = {
  gate: "vtgates",
  tablet: "vttablets",
  mysql: "mysqlds",
};
/** As of a server with leases, whose writes all tell who has executed them; but everything passes. */
const FENCE: Fence = { packets: true, pass: () => undefined };

/** Of a statement whose rows tell what bytes cost; one of SIZES. */
const LARGE_ROWS = 50;

interface Measured {
  statements: MeasuredCosts["statements"];
  /** What a kB of a row's value takes. */
  perKb: Record<Kind, Layers>;
  /** What the cluster uses when nobody calls. */
  idleCores: Cores;
}

/** Of the rig's cluster, whose table is made. */
export async function measureStatements(rig: Rig): Promise<Measured> {
  const cluster = await rig.cluster();
  const { url } = cluster;
  const groups = clusterGroups(cluster);
  // What was made in a round before.
  await truncate(cluster);
  const backend = await inspectBackend(url);
  const sessions = { backend, connections: 4, queueLimit: 10, packets: true };
  const anywhere = connect({ url, ...sessions });
  const databases: Database[] = [anywhere];
  try {
    const map = await watchShards(anywhere, {
      backend,
      keyspace: cluster.vtgates[0].database,
      hash: (key) => Bun.hash.xxHash64(key),
    });
    const senders = map.names().map((shard) => {
      const database = connect({ ...sessions, url: urlOfRange(url, shard, "primary") });
      databases.push(database);
      return new Sender(new Table(database, anywhere, FENCE), (key) => map.shardOf(key) === shard);
    });
    return await step("statements of all kinds", async (report) => {
      for (const sender of senders) await sender.fill();
      report("idle");
      const idleCores = await leastCores(groups, rig.signal);
      const cost = (name: StatementName, rows: number) => {
        rig.signal.throwIfAborted();
        report(`${name} with ${rows} rows`);
        return measure(senders, { name, rows }, groups, idleCores);
      };
      const costs = Object.fromEntries(STATEMENTS.map((name) => [name, new Map<number, Layers>()])) as Costs;
      for (const rows of SIZES) {
        for (const name of STATEMENTS) costs[name].set(rows, await cost(name, rows));
        // It was sent with one that makes its rows again.
        costs.delete.set(rows, difference(costs.delete.get(rows) as Layers, costs.put.get(rows) as Layers));
      }
      const curves = (points: Map<number, Layers>) =>
        layered((layer) => Object.fromEntries(Array.from(points, ([rows, micros]) => [rows, micros[layer]])));
      for (const sender of senders) await sender.fill(LARGE_BYTES);
      const perKb = async (kind: Kind) => {
        const more = difference(await cost(USUAL[kind], LARGE_ROWS), costs[USUAL[kind]].get(LARGE_ROWS) as Layers);
        return layered((layer) => (1_000 * more[layer]) / (LARGE_ROWS * (LARGE_BYTES - VALUE_BYTES)));
      };
      return {
        statements: Object.fromEntries(STATEMENTS.map((name) => [name, curves(costs[name])])) as Measured["statements"],
        perKb: { read: await perKb("read"), write: await perKb("write") },
        idleCores,
      };
    });
  } finally {
    for (const database of databases) await database.close();
  }
}

type Costs = Record<StatementName, Map<number, Layers>>;

function layered<T>(of: (layer: Layer) => T): Record<Layer, T> {
  return Object.fromEntries(LAYERS.map((layer) => [layer, of(layer)])) as Record<Layer, T>;
}

function difference(more: Layers, less: Layers): Layers {
  return layered((layer) => Math.max(0, more[layer] - less[layer]));
}

/** Of some spans the one in which the cluster used the least: in the first ones it may still be at what was written. */
async function leastCores(groups: Groups, signal: AbortSignal): Promise<Cores> {
  const asleep = async () => {
    await sleep(1_000 * IDLE_SECONDS, undefined, { signal });
    return { cpuSeconds: 0 };
  };
  const spans: Cores[] = [];
  while (spans.length < IDLE_SPANS) spans.push((await withCores(groups, asleep)).cores);
  return spans.reduce((least, cores) => (coresOf(groups, cores) < coresOf(groups, least) ? cores : least));
}

/** What one statement takes in each layer, the cluster's own work left out. */
async function measure(
  senders: Sender[],
  { name, rows }: { name: StatementName; rows: number },
  groups: Groups,
  idleCores: Cores,
): Promise<Layers> {
  const { result, cores } = await withCores(groups, async () => {
    const [begun, before] = [performance.now(), process.cpuUsage()];
    const counts = await Promise.all(senders.map((sender) => sender.send(name, rows, begun + 1_000 * SECONDS)));
    const { user, system } = process.cpuUsage(before);
    return {
      statements: counts.reduce((sum, count) => sum + count, 0),
      cpuSeconds: (user + system) / 1e6,
      seconds: (performance.now() - begun) / 1_000,
    };
  });
  const each = (group: string) =>
    (1e6 * result.seconds * Math.max(0, (cores[group] ?? 0) - (idleCores[group] ?? 0))) / result.statements;
  const { gate, tablet, mysql } = GROUPS;
  return {
    client: (1e6 * result.cpuSeconds) / result.statements,
    ...{ gate: each(gate), tablet: each(tablet), mysql: each(mysql) },
  };
}

/** Sends statements to one shard, and knows its rows. */
class Sender {
  private readonly keys: EntryKey[];
  private readonly rows = new Map<string, { revision: Revision; expiresAtMs: number | null }>();
  private next = KEYS;
  private entry: NewEntry = ENTRY;

  constructor(
    private readonly table: Table,
    private readonly isOwn: (key: EntryKey) => boolean,
  ) {
    this.keys = Array.from({ length: KEYS }, (_, number) => keyOf(number)).filter(isOwn);
  }

  /** With values of a size from now on. */
  async fill(valueBytes = VALUE_BYTES) {
    this.entry = { ...ENTRY, value: Buffer.alloc(valueBytes, "v") };
    for (let first = 0; first < this.keys.length; first += 500) await this.put(this.keys.slice(first, first + 500));
  }

  /** Sends one after the other until then; returns how many. */
  async send(name: StatementName, rows: number, until: number): Promise<number> {
    let count = 0;
    for (; performance.now() < until; count++) await this.one(name, rows);
    return count;
  }

  private async one(name: StatementName, rows: number): Promise<void> {
    const { table } = this;
    const deadline = performance.now() + DEADLINE_MS;
    if (name === "get") await table.read("entries", this.some(rows), deadline);
    else if (name === "head") await table.read("infos", this.some(rows), deadline);
    else if (name === "find") await table.known(this.some(rows), undefined, deadline);
    else if (name === "find_contents") await table.known(this.some(rows), COUNTER_BYTES, deadline);
    else if (name === "scan") await table.scan(this.range(rows), deadline);
    else if (name === "put") await this.put(this.some(rows));
    else if (name === "create") await this.create(rows, deadline);
    else if (name === "delete") {
      const keys = this.some(rows);
      await table.remove(keys, deadline);
      await this.put(keys);
    } else await this.change(this.some(rows), name === "replace", deadline);
  }

  private async put(keys: EntryKey[]) {
    const puts = keys.map((key) => ({
      key,
      revision: newRevision(newVersion()),
      expiry: this.entry.expiry,
      content: this.entry,
    }));
    await this.table.put(puts, performance.now() + DEADLINE_MS);
    for (const { key, revision } of puts) this.rows.set(keyName(key), { revision, expiresAtMs: null });
  }

  private async create(rows: number, deadline: number) {
    const keys: EntryKey[] = [];
    while (keys.length < rows) {
      const key = keyOf(this.next++);
      if (this.isOwn(key)) keys.push(key);
    }
    const revision = newRevision(newVersion());
    const made = await this.table.change(
      keys.map((key) => ({ key, guard: null, revision, expiresAtMs: null, content: ENTRY })),
      deadline,
    );
    if (made.size !== rows) throw new Error("rows that were new were there");
  }

  private async change(keys: EntryKey[], replaces: boolean, deadline: number) {
    const changes = keys.map((key): Change => {
      const row = this.rows.get(keyName(key)) as { revision: Revision; expiresAtMs: number | null };
      const expiresAtMs = replaces ? row.expiresAtMs : Date.now() + 1_000_000_000 + uniform(1_000_000);
      const guard = { ...row, lives: true };
      return { key, guard, revision: newRevision(newVersion()), expiresAtMs, content: replaces ? ENTRY : undefined };
    });
    const made = await this.table.change(changes, deadline);
    for (const { key, revision, expiresAtMs } of changes) {
      if (made.get(keyName(key)) !== revision) throw new Error("a row was not as this process had left it");
      this.rows.set(keyName(key), { revision, expiresAtMs });
    }
  }

  /** Different ones, far from each other. */
  private some(count: number): EntryKey[] {
    const { length } = this.keys;
    const stride = Math.max(1, Math.floor(length / count));
    const first = uniform(length);
    return Array.from({ length: count }, (_, i) => this.keys[(first + i * stride) % length] as EntryKey);
  }

  private range(limit: number) {
    const start = this.keys[uniform(this.keys.length - limit)] as EntryKey;
    return { start, end: behindPrefix(entryKey(NAMESPACE, "")), reverse: false, limit };
  }
}

function keyOf(number: number): EntryKey {
  return entryKey(NAMESPACE, `key${String(number).padStart(9, "0")}`);
}
