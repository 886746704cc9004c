// What each statement of the store costs, by how many rows it has: sent as a server sends them, one at a time to each shard.

import { setTimeout as sleep } from "node:timers/promises";
import { inspectBackend } from "../../src/database/backend.ts";
import { connect, type Database } from "../../src/database/connect.ts";
import type { Fence } from "../../src/database/fence.ts";
import { watchShards } from "../../src/database/shards.ts";
import type { Change } from "../../src/database/statements.ts";
import { Table } from "../../src/database/table.ts";
import { urlOfRange } from "../../src/database/url.ts";
import { behindPrefix, type EntryKey, entryKey, keyName } from "../../src/store/store.ts";
import { newRevision, newVersion, type Revision } from "../../src/store/version.ts";
import { step } from "../../vitess/support/progress.ts";
import { type Cores, clusterGroups, type Groups, withCores } from "../cpu.ts";
import { truncate } from "../disk.ts";
import { uniform } from "../random.ts";
import type { Rig } from "../rig.ts";
import { ENTRY } from "../store.ts";
import { KEYS } from "../system.ts";
import { fitted, LAYERS, type Layer, type MeasuredCosts, STATEMENTS, type StatementName } from "./costs.ts";

/** Rows of a statement, up to what a batch takes. */
export const SIZES = [1, 10, 100, 500];
const SECONDS = 1;
const IDLE_SECONDS = 3;
const DEADLINE_MS = 30_000;
const NAMESPACE = "costs";
/** Of a counter's value, so many bytes are read. */
const COUNTER_BYTES = 21;
const GROUPS: Record<Exclude<Layer, "client">, string> = { gate: "vtgates", tablet: "vttablets", mysql: "mysqlds" };
/** As of a server with leases, whose writes all tell who has executed them; but everything passes. */
const FENCE: Fence = { packets: true, pass: () => undefined };

interface Measured {
  statements: MeasuredCosts["statements"];
  /** What the cluster uses when nobody calls. */
  idleCores: Cores;
}

/** Of the rig's cluster, whose table is made. */
export async function measureStatements(rig: Rig): Promise<Measured> {
  const cluster = await rig.cluster();
  const { url } = cluster;
  const groups = clusterGroups(cluster);
  // What was made, and not deleted, in a round before.
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
      const { cores: idleCores } = await withCores(groups, () => asleep(rig.signal));
      const points = new Map<StatementName, [rows: number, micros: Record<Layer, number>][]>();
      for (const rows of SIZES) {
        for (const name of STATEMENTS) {
          rig.signal.throwIfAborted();
          report(`${name} with ${rows} rows`);
          const found = points.get(name) ?? [];
          found.push([rows, await measure(senders, { name, rows }, groups, idleCores)]);
          points.set(name, found);
        }
      }
      const costs = ([name, found]: [StatementName, [number, Record<Layer, number>][]]) => {
        const layer = (each: Layer) => [each, fitted(found.map(([rows, micros]) => [rows, micros[each]]))];
        return [name, Object.fromEntries(LAYERS.map(layer))];
      };
      return { statements: Object.fromEntries([...points].map(costs)) as Measured["statements"], idleCores };
    });
  } finally {
    for (const database of databases) await database.close();
  }
}

async function asleep(signal: AbortSignal) {
  await sleep(1_000 * IDLE_SECONDS, undefined, { signal });
  return { cpuSeconds: 0 };
}

/** What one statement takes in each layer, the cluster's own work left out. */
async function measure(
  senders: Sender[],
  { name, rows }: { name: StatementName; rows: number },
  groups: Groups,
  idleCores: Cores,
): Promise<Record<Layer, number>> {
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
  if (result.statements === 0) throw new Error(`there was nothing to send ${name} for`);
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
  /** Made, and to be deleted. */
  private readonly made: EntryKey[][] = [];
  private next = KEYS;

  constructor(
    private readonly table: Table,
    private readonly isOwn: (key: EntryKey) => boolean,
  ) {
    this.keys = Array.from({ length: KEYS }, (_, number) => keyOf(number)).filter(isOwn);
  }

  async fill() {
    for (let first = 0; first < this.keys.length; first += 500) await this.put(this.keys.slice(first, first + 500));
  }

  /** Sends one after the other until then, or until there is nothing to send; returns how many. */
  async send(name: StatementName, rows: number, until: number): Promise<number> {
    let count = 0;
    for (; performance.now() < until; count++) {
      if (!(await this.one(name, rows))) break;
    }
    return count;
  }

  private async one(name: StatementName, rows: number): Promise<boolean> {
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
      const keys = this.made.pop();
      // Those of smaller statements may be left.
      if (keys?.length !== rows) return false;
      await table.remove(keys, deadline);
    } else await this.change(this.some(rows), name === "replace", deadline);
    return true;
  }

  private async put(keys: EntryKey[]) {
    const puts = keys.map((key) => ({
      key,
      revision: newRevision(newVersion()),
      expiry: ENTRY.expiry,
      content: ENTRY,
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
    this.made.push(keys);
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
