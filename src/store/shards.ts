// Which shard a key is in, as far as is known: to put keys of one shard into one statement. A stale answer makes
// vtgate split the statement and costs speed, nothing else.

import type { Backend } from "./backend.ts";
import type { Database, Rows } from "./connect.ts";
import type { EntryKey } from "./store.ts";

const REFRESH_MS = 5_000;
const QUERY_TIMEOUT_MS = 2_000;

interface Shard {
  name: string;
  /** Where its range of keyspace ids ends, as an 8-byte number; the last one's ends after all. */
  end: bigint;
}

export interface Shards {
  shardOf: (key: EntryKey) => string;
}

/**
 * Follows the serving shards. `hash` is xxHash64 with seed 0; Vitess's xxhash vindex stores it in little-endian order
 * and compares keyspace ids as bytes. On a plain MySQL there is one shard.
 */
export async function watchShards(
  database: Database,
  backend: Backend,
  hash: (key: Uint8Array) => bigint,
): Promise<Shards> {
  if (backend === "mysql") return { shardOf: () => "" };
  const scratch = new DataView(new ArrayBuffer(8));
  const keyspaceId = (key: Uint8Array) => {
    scratch.setBigUint64(0, hash(key), true);
    return scratch.getBigUint64(0, false);
  };
  let shards = await servingShards(database);
  setInterval(async () => {
    // While vtgate can't be asked, what was known last is the best guess.
    shards = await servingShards(database).catch(() => shards);
  }, REFRESH_MS).unref?.();
  return {
    shardOf: (key) => {
      if (shards.length < 2) return "";
      const id = keyspaceId(key);
      return shards.find((shard) => id < shard.end)?.name ?? "";
    },
  };
}

async function servingShards(database: Database): Promise<Shard[]> {
  const statement = { name: "shards", sql: "SHOW VITESS_TABLETS", params: [], writes: false };
  const tablets = await database.execute<Rows>(statement, QUERY_TIMEOUT_MS);
  const names = tablets
    .filter((tablet) => tablet.TabletType === "PRIMARY" && tablet.State === "SERVING")
    .map((tablet) => String(tablet.Shard));
  return names
    .map((name) => ({ name, end: rangeEnd(name) }))
    .toSorted((a, b) => (a.end < b.end ? -1 : a.end > b.end ? 1 : 0));
}

/** The end of a key range named as in `40-80`, `-80` or `c0-`. */
function rangeEnd(name: string): bigint {
  const end = name.split("-")[1] ?? "";
  return end === "" ? 1n << 64n : BigInt(`0x${end.padEnd(16, "0")}`);
}
