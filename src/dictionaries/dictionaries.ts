// Dictionaries as a server keeps them: those that rows name are read once and kept, and each namespace whose values have
// much in common gets one, made of some of its values.
//
// A dictionary is an entry that no client can name, and so is the note which one a namespace has. It is stored before any
// value is packed with it, its bytes never change, and it is never deleted: a row may name it, and it is a few kB.

import { createHash } from "node:crypto";
import type { Dictionaries, Dictionary } from "../database/packed.ts";
import { StoreError } from "../store/error.ts";
import { type Content, dictionaryKey, type EntryKey, type Store } from "../store/store.ts";
import { makeDictionary, Sampling } from "./sampling.ts";

/** Namespaces that are thought of at a time; the one that was first written to is forgotten, and looked up again. */
const NAMESPACES = 1_000;
/** Dictionaries in memory, of some kB each. */
const KEPT = 2_000;
/** Namespaces whose values are sampled at a time; where another one is to be, the first begins again later. */
const SAMPLED = 20;
/** Between looks whether a namespace has a dictionary by now: longer each time that its values had too little in common. */
const LOOK_EVERY_MS = { first: 60_000, most: 3_600_000 };

/** Of base64, six bits each: short, because each row has it, and long enough that no two are the same. */
const ID_CHARACTERS = 12;
const SLASH = 0x2f;
const DOT = 0x2e;
const NOTE = { contentType: "text/plain", metadata: null, expiry: "never" } as const;
/** What is there already is what another server was first with. */
const CREATE = { ifNoneMatch: "*" } as const;

interface Namespace {
  dictionary: Dictionary | undefined;
  sampling: Sampling | undefined;
  lookedAtMs: number;
  lookEveryMs: number;
}

/** Reads dictionaries and makes none. */
export class KnownDictionaries implements Dictionaries {
  private readonly bytes = new Map<string, Buffer>();

  /** Of entries, with no dictionaries of its own; calls through it must not wait for those that wait for this. */
  constructor(protected readonly store: Pick<Store, "get" | "put">) {}

  forValue(_: EntryKey, __: Content): Dictionary | "none" | undefined {
    return undefined;
  }

  bytesOf(id: string): Buffer | Promise<Buffer> {
    return this.bytes.get(id) ?? this.fetch(id);
  }

  private async fetch(id: string): Promise<Buffer> {
    const entry = await this.store.get(dictionaryKey(id));
    // It was stored before any row named it.
    if (!entry) throw new StoreError("unavailable", "a dictionary is not there yet");
    if (idOf(entry.value) !== id) throw new StoreError("internal", "a dictionary is not what it was");
    if (this.bytes.size >= KEPT) this.bytes.delete(this.bytes.keys().next().value as string);
    this.bytes.set(id, entry.value);
    return entry.value;
  }
}

/** Makes them too. */
export class NamespaceDictionaries extends KnownDictionaries {
  private readonly namespaces = new Map<string, Namespace>();
  private readonly sampled = new Set<Namespace>();

  override forValue(key: EntryKey, { value }: Content): Dictionary | "none" | undefined {
    // Entries of the servers' own are read without this.
    if (key[0] === DOT) return undefined;
    const name = key.toString("latin1", 0, key.indexOf(SLASH));
    const namespace = this.namespaces.get(name) ?? this.add(name);
    if (namespace.dictionary) return namespace.dictionary;
    namespace.sampling?.take(value);
    const now = performance.now();
    if (now - namespace.lookedAtMs >= namespace.lookEveryMs || namespace.sampling?.isEnough) {
      namespace.lookedAtMs = now;
      // Without one values are packed less well.
      this.look(name, namespace).catch(() => {});
    }
    return "none";
  }

  private add(name: string): Namespace {
    const namespace: Namespace = {
      ...{ dictionary: undefined, sampling: undefined },
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

  /** Finds the namespace's dictionary, or makes it of the values that were sampled, or begins to sample some. */
  private async look(name: string, namespace: Namespace) {
    const samples = namespace.sampling?.isEnough ? namespace.sampling.samples : undefined;
    if (samples) this.endSampling(namespace);
    const noted = await this.store.get(dictionaryKey(`of/${name}`));
    const id = noted ? noted.value.toString() : samples && (await this.make(name, samples));
    if (id) {
      const bytes = await this.bytesOf(id);
      this.endSampling(namespace);
      namespace.dictionary = { id, bytes };
    } else if (samples) namespace.lookEveryMs = Math.min(2 * namespace.lookEveryMs, LOOK_EVERY_MS.most);
    else if (!namespace.sampling && this.namespaces.get(name) === namespace) this.beginSampling(namespace);
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

  /** Its id, or another server's that was first; undefined where values have too little in common. */
  private async make(name: string, samples: Buffer[]): Promise<string | undefined> {
    const bytes = await makeDictionary(samples);
    if (!bytes) return undefined;
    const id = idOf(bytes);
    await this.store.put(dictionaryKey(id), { ...NOTE, contentType: "application/octet-stream", value: bytes }, CREATE);
    const note = { ...NOTE, value: Buffer.from(id) };
    if (await this.store.put(dictionaryKey(`of/${name}`), note, CREATE)) return id;
    return (await this.store.get(dictionaryKey(`of/${name}`)))?.value.toString();
  }
}

function idOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("base64url").slice(0, ID_CHARACTERS);
}
