// Dictionaries where rows name them: a copy in each shard, as an entry that no client can name. A copy is stored before any
// row of its shard names the dictionary, its bytes never change, and it is never deleted. So a shard can be read, and
// restored to any moment, without another one.

import type { Dictionary } from "../database/packed.ts";
import { keyOfShard, type Shards } from "../database/shards.ts";
import { StoreError } from "../store/error.ts";
import { behindPrefix, dictionaryKey, type EntryKey, type Store } from "../store/store.ts";
import type { Zstd } from "../zstd/zstd.ts";
import { dictionaryOf } from "./dictionary.ts";

/** Dictionaries in memory, of some kB each. */
const KEPT = 2_000;
/** Copies that are known to be there; of those that are forgotten it is found out again. */
const KNOWN = 100_000;
/** Of each copy that is known, because its shard may have been restored to a moment before it. */
const CHECK_EVERY_MS = 600_000;
/** Copies that are made at once: where there are thousands of shards, calls need the database too. */
const AT_ONCE = 10;

export class Copies {
  private readonly known = new Map<string, Dictionary>();
  /** When each was last seen to be there. */
  private readonly seenAtMs = new Map<string, number>();
  private readonly making = new Set<string>();

  /** Calls through the store must not wait for those that wait for a dictionary. */
  constructor(
    private readonly store: Pick<Store, "get" | "put" | "list">,
    private readonly shards: Shards,
    private readonly zstd: Zstd,
  ) {}

  /** The dictionary that a row of the shard names. */
  withId(id: string, shard: string): Dictionary | Promise<Dictionary> {
    return this.known.get(id) ?? this.fetch(id, shard);
  }

  /** Whether the shard has a copy. Where it is not known to have one, one is made meanwhile. */
  isIn(shard: string, dictionary: Dictionary): boolean {
    const name = `${dictionary.id} ${shard}`;
    const seenAtMs = this.seenAtMs.get(name);
    const isDue = seenAtMs === undefined || performance.now() - seenAtMs >= CHECK_EVERY_MS;
    if (isDue && this.making.size < AT_ONCE && !this.making.has(name)) {
      this.making.add(name);
      this.make(dictionary, this.keyIn(shard, dictionary.id))
        .then(() => remember(this.seenAtMs, name, performance.now(), KNOWN))
        // The next value is another occasion.
        .catch(() => {})
        .finally(() => this.making.delete(name));
    }
    return seenAtMs !== undefined;
  }

  /** Stores the first copy of a new dictionary. */
  async add(dictionary: Dictionary) {
    await this.make(dictionary, copyKey(dictionary.id, 0));
    this.remember(dictionary);
  }

  private async make({ bytes }: Dictionary, key: EntryKey) {
    const content = { value: bytes, contentType: "application/octet-stream", metadata: null };
    await this.store.put(key, { ...content, expiry: "never" }, { ifNoneMatch: "*" });
  }

  /**
   * From the shard's own copy. It has none if it was made by a resharding and nothing has been written to it since: then
   * from the first copy or any other, and the shard gets its own.
   */
  private async fetch(id: string, shard: string): Promise<Dictionary> {
    const dictionary =
      (await this.read(this.keyIn(shard, id), id)) ?? (await this.read(copyKey(id, 0), id)) ?? (await this.any(id));
    if (!dictionary) throw new StoreError("unavailable", "a dictionary can't be had");
    this.isIn(shard, dictionary);
    return this.remember(dictionary);
  }

  /** The first one of its id, because each is prepared for itself. */
  private remember(dictionary: Dictionary): Dictionary {
    const known = this.known.get(dictionary.id);
    if (!known) remember(this.known, dictionary.id, dictionary, KEPT);
    return known ?? dictionary;
  }

  private async any(id: string): Promise<Dictionary | undefined> {
    const start = dictionaryKey(`${id}/`);
    const range = { start, end: behindPrefix(start), order: "key", reverse: false, limit: 1 } as const;
    const { entries } = await this.store.list(range);
    return entries[0] && this.read(entries[0].key, id);
  }

  /** Undefined where there is none, or none can be had now. */
  private async read(key: EntryKey, id: string): Promise<Dictionary | undefined> {
    const entry = await this.store.get(key).catch(() => null);
    const dictionary = entry && dictionaryOf(entry.value, this.zstd);
    return dictionary?.id === id ? dictionary : undefined;
  }

  private keyIn(shard: string, id: string): EntryKey {
    // By a map that is out of date it may be gone.
    if (!this.shards.names().includes(shard)) return copyKey(id, 0);
    return keyOfShard(shard, this.shards, (n) => copyKey(id, n));
  }
}

function copyKey(id: string, n: number): EntryKey {
  return dictionaryKey(`${id}/${n}`);
}

/** The one that came first is forgotten. */
function remember<T>(map: Map<string, T>, name: string, value: T, most: number) {
  map.set(name, value);
  if (map.size > most) map.delete(map.keys().next().value as string);
}
