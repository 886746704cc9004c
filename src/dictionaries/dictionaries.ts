// Dictionaries as a server uses them: those that rows name it reads, and each namespace whose values have much in common
// gets one, made of pieces of some of its values, and another one when its values have become different.

import type { Dictionaries, Dictionary } from "../database/packed.ts";
import type { Shards } from "../database/shards.ts";
import { type Condition, type Content, dictionaryKey, type Entry, type EntryKey, type Store } from "../store/store.ts";
import type { Zstd } from "../zstd/zstd.ts";
import { Copies } from "./copies.ts";
import { judge, Sampling } from "./sampling.ts";

/** Namespaces that are thought of at a time; the one that was first written to is forgotten, and looked up again. */
const NAMESPACES = 1_000;
/** Namespaces whose values are sampled at a time; where another one is to be, the first begins again later. */
const SAMPLED = 20;
/** Between looks at a namespace's values: longer each time that nothing was to be changed. */
const LOOK_EVERY_MS = { first: 60_000, most: 4 * 3_600_000 };

const SLASH = 0x2f;
const DOT = 0x2e;

interface Namespace {
  /** The one that is noted for it, as far as is known. */
  dictionary: Dictionary | "none";
  /** Whether values like its own become smaller. */
  shrinks: boolean;
  sampling: Sampling | undefined;
  lookedAtMs: number;
  lookEveryMs: number;
}

/** Reads dictionaries and makes none. */
export class KnownDictionaries {
  protected readonly copies: Copies;

  /** Calls through the store must not wait for those that wait for a dictionary. */
  constructor(
    protected readonly store: Pick<Store, "get" | "put" | "list">,
    shards: Shards,
    protected readonly zstd: Zstd,
  ) {
    this.copies = new Copies(store, shards, zstd);
  }

  /** For the rows of a shard. */
  at(shard: string): Dictionaries {
    return {
      forValue: (key, content) => this.forValue(shard, key, content),
      withId: (id) => this.copies.withId(id, shard),
    };
  }

  protected forValue(_: string, __: EntryKey, ___: Content): Dictionary | "none" | undefined {
    return undefined;
  }
}

/** Makes them too. */
export class NamespaceDictionaries extends KnownDictionaries {
  private readonly namespaces = new Map<string, Namespace>();
  private readonly sampled = new Set<Namespace>();

  protected override forValue(shard: string, key: EntryKey, { value }: Content): Dictionary | "none" | undefined {
    // Entries of the servers' own are read without this.
    if (key[0] === DOT) return undefined;
    const name = key.toString("latin1", 0, key.indexOf(SLASH));
    const namespace = this.namespaces.get(name) ?? this.add(name);
    namespace.sampling?.take(value);
    const now = performance.now();
    if (now - namespace.lookedAtMs >= namespace.lookEveryMs || namespace.sampling?.isEnough) {
      namespace.lookedAtMs = now;
      // Until the next look values are packed as before.
      this.look(shard, name, namespace).catch(() => {});
    }
    const { dictionary, shrinks } = namespace;
    if (!shrinks) return undefined;
    return dictionary !== "none" && this.copies.isIn(shard, dictionary) ? dictionary : "none";
  }

  private add(name: string): Namespace {
    const namespace: Namespace = {
      ...{ dictionary: "none", shrinks: true, sampling: undefined },
      ...{ lookedAtMs: Number.NEGATIVE_INFINITY, lookEveryMs: LOOK_EVERY_MS.first },
    };
    if (this.namespaces.size >= NAMESPACES) {
      const [first, forgotten] = this.namespaces.entries().next().value as [string, Namespace];
      this.namespaces.delete(first);
      this.endSampling(forgotten);
    }
    this.namespaces.set(name, namespace);
    return namespace;
  }

  /** Finds the namespace's dictionary. Then begins to sample its values, or makes another where enough of them want one. */
  private async look(shard: string, name: string, namespace: Namespace) {
    const before = namespace.dictionary;
    const samples = namespace.sampling?.isEnough ? namespace.sampling.samples : undefined;
    if (samples) this.endSampling(namespace);
    const key = noteKey(name);
    const note = await this.store.get(key);
    // One that is lost, or can't be had now, may be replaced: rows that name it keep their copies.
    if (note) namespace.dictionary = await this.noted(note, shard).catch(() => before);
    if (samples) {
      const { shrinks, better } = await judge(samples, namespace.dictionary, this.zstd);
      namespace.shrinks = shrinks;
      if (better) namespace.dictionary = await this.change(key, note, better, shard);
    } else if (!namespace.sampling && this.namespaces.get(name) === namespace) this.beginSampling(namespace);
    const isOther = idOf(namespace.dictionary) !== idOf(before);
    namespace.lookEveryMs = isOther ? LOOK_EVERY_MS.first : Math.min(2 * namespace.lookEveryMs, LOOK_EVERY_MS.most);
  }

  private beginSampling(namespace: Namespace) {
    if (this.sampled.size >= SAMPLED) this.endSampling(this.sampled.values().next().value as Namespace);
    namespace.sampling = new Sampling();
    this.sampled.add(namespace);
  }

  private endSampling(namespace: Namespace) {
    namespace.sampling = undefined;
    this.sampled.delete(namespace);
  }

  /** Notes a dictionary that is stored by then; where another server was first, it is that one's. */
  private async change(
    key: EntryKey,
    note: Entry | null,
    better: Dictionary,
    shard: string,
  ): Promise<Dictionary | "none"> {
    await this.copies.add(better);
    const condition: Condition = note ? { ifMatch: [note.version] } : { ifNoneMatch: "*" };
    const content = { value: Buffer.from(better.id), contentType: "text/plain", metadata: null };
    if (await this.store.put(key, { ...content, expiry: "never" }, condition)) return better;
    const other = await this.store.get(key);
    return other ? this.noted(other, shard) : "none";
  }

  private async noted({ value }: Entry, shard: string): Promise<Dictionary> {
    return this.copies.withId(value.toString(), shard);
  }
}

/** Former versions note theirs, which are for deflate, at another key. */
function noteKey(namespace: string): EntryKey {
  return dictionaryKey(`zstd/${namespace}`);
}

function idOf(dictionary: Dictionary | "none"): string {
  return dictionary === "none" ? dictionary : dictionary.id;
}
