// Which shards there are and which of them a key is in, as far as is known: to put keys of one shard into one statement,
// and to sweep each by itself. vtgate has the last word on where rows are, so a stale map leads to a refusal. But what is
// sent to a range of keys is not checked key by key, so the hash is compared with the keyspace's own at the start.

import type { EntryKey } from "../store/store.ts";
import { type Backend, SHOW_SHARDS, servingShards } from "./backend.ts";
import type { Database, Rows } from "./connect.ts";

const REFRESH_MS = 5_000;
const QUERY_TIMEOUT_MS = 2_000;
export const KEY_SPACE_END = 1n << 64n;

export interface Shard {
  name: string;
  /** Its range of keyspace ids as 8-byte numbers, without `end`. */
  start: bigint;
  end: bigint;
}

const WHOLE: readonly Shard[] = [{ name: "", start: 0n, end: KEY_SPACE_END }];

export interface ShardsOptions {
  backend: Backend;
  /** The one that the database is connected to. */
  keyspace: string;
  /** xxHash64 with seed 0. */
  hash: (key: Uint8Array) => bigint;
}

export interface Shards {
  /** The shards that serve; one without a name is the whole of a plain MySQL. */
  names: () => string[];
  shardOf: (key: EntryKey) => string;
  /** In the order of their ranges. */
  all: () => readonly Shard[];
  /** Where in the ranges a key is. */
  idOf: (key: EntryKey) => bigint;
  /** Looks again now, since a shard may have gone. Never fails: what was known last is the best guess. */
  refresh: () => Promise<void>;
}

/** The map where everything is in one place. */
export const ONE_SHARD: Shards = {
  ...{ names: () => [""], shardOf: () => "", all: () => WHOLE, idOf: () => 0n },
  refresh: async () => {},
};

/** Follows the serving shards. */
export async function watchShards(database: Database, options: ShardsOptions): Promise<Shards> {
  const shards = await readShards(database, options);
  if (shards !== ONE_SHARD) setInterval(shards.refresh, REFRESH_MS).unref?.();
  return shards;
}

/**
 * The serving shards, as they are now and at each refresh. Vitess's xxhash vindex stores the hash in little-endian order
 * and compares keyspace ids as bytes. On a plain MySQL there is one shard.
 */
export async function readShards(database: Database, { backend, keyspace, hash }: ShardsOptions): Promise<Shards> {
  if (backend === "mysql") return ONE_SHARD;
  const keyspaceId = keyspaceIds(hash);
  await requireHash(database, keyspace, keyspaceId);
  let shards: Shard[] = [];
  const look = async () => {
    const statement = { name: "shards", sql: SHOW_SHARDS, params: [], writes: false };
    const rows = await database.execute<Rows>(statement, QUERY_TIMEOUT_MS);
    // While the cluster comes up, shards may be missing: what was known last is the best guess.
    shards = wholeMap(servingShards(rows, keyspace)) ?? shards;
  };
  await look();
  let looking: Promise<void> | undefined;
  const refresh = () => {
    looking ??= look()
      // The same while vtgate can't be asked.
      .catch(() => {})
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  return mapOver(() => shards, keyspaceId, refresh);
}

/** The map with these shards, which are all there are. */
export function shardsNamed(names: string[], hash: ShardsOptions["hash"]): Shards {
  const shards = wholeMap(names);
  if (!shards) throw new Error("these are not the shards of a whole keyspace");
  return mapOver(
    () => shards,
    keyspaceIds(hash),
    async () => {},
  );
}

function mapOver(all: () => Shard[], idOf: Shards["idOf"], refresh: Shards["refresh"]): Shards {
  return {
    ...{ all, idOf, refresh },
    names: () => all().map(({ name }) => name),
    shardOf: (key) => {
      const shards = all();
      if (shards.length < 2) return shards[0]?.name ?? "";
      return shardAt(shards, idOf(key)).name;
    },
  };
}

function keyspaceIds(hash: ShardsOptions["hash"]): (key: Uint8Array) => bigint {
  const scratch = new DataView(new ArrayBuffer(8));
  return (key) => {
    scratch.setBigUint64(0, hash(key), true);
    return scratch.getBigUint64(0, false);
  };
}

/** Throws unless the keyspace places a key where this process does, by the vindex that its VSchema names for entries. */
async function requireHash(database: Database, keyspace: string, keyspaceId: (key: Uint8Array) => bigint) {
  const ask = (sql: string, params: unknown[]) =>
    database.execute<Rows>({ name: "vindex", sql, params, writes: false }, QUERY_TIMEOUT_MS);
  const [vindex] = await ask("SHOW VSCHEMA VINDEXES ON ??.entries", [keyspace]);
  const key = Buffer.from("sample/key");
  const [row] = await ask("SELECT keyspace_id FROM ?? WHERE id = ?", [String(vindex?.Name), key]);
  if (vindex?.Columns !== "key" || row?.keyspace_id?.readBigUInt64BE() !== keyspaceId(key)) {
    throw new Error("the VSchema of the keyspace must shard entries by xxhash of their key");
  }
}

/** The first key of a family, by number, that is in the shard. Throws where there is no such shard, or no longer. */
export function keyOfShard(shard: string, { names, shardOf }: Shards, keyAt: (n: number) => EntryKey): EntryKey {
  if (!names().includes(shard)) throw new Error(`there is no shard ${shard}`);
  for (let n = 0; ; n++) {
    const key = keyAt(n);
    if (shardOf(key) === shard) return key;
  }
}

/** The one of all shards, in order, whose range has the keyspace id: there may be tens of thousands. */
export function shardAt(shards: readonly Shard[], id: bigint): Shard {
  let [first, last] = [0, shards.length - 1];
  while (first < last) {
    const middle = (first + last) >> 1;
    if (id < (shards[middle] as Shard).end) last = middle;
    else first = middle + 1;
  }
  return shards[first] as Shard;
}

/** The shards in order of their ranges, if these leave nothing out and nothing twice. */
export function wholeMap(names: string[]): Shard[] | undefined {
  const shards = names.map(shardOfName).toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let covered = 0n;
  for (const { start, end } of shards) {
    if (start !== covered) return undefined;
    covered = end;
  }
  return covered === KEY_SPACE_END ? shards : undefined;
}

/** From a name such as `40-80`, `-80`, `c0-`, or `0`, which is all there is. */
function shardOfName(name: string): Shard {
  const [start = "", end = ""] = name.includes("-") ? name.split("-") : [];
  const bound = (hex: string) => BigInt(`0x${hex.padEnd(16, "0")}`);
  return { name, start: start === "" ? 0n : bound(start), end: end === "" ? KEY_SPACE_END : bound(end) };
}
