// For tests that need no database: a store that is the pure decision behind a Map. It promises nothing, and no server uses
// it.

import { type Answer, decide, isLive, leaving, type Row, type Write } from "./decide.ts";
import {
  type Caller,
  type Condition,
  type Entry,
  type EntryInfo,
  type EntryKey,
  type ExpireCondition,
  type ExpireResult,
  type ExpiryTime,
  following,
  keyName,
  type ListedEntry,
  type ListPage,
  type ListQuery,
  type NewEntry,
  type Store,
  type Transaction,
  type Update,
} from "./store.ts";
import { newVersion, type Version } from "./version.ts";

/** The model's present, in epoch milliseconds, unless a test has another. */
export const MODEL_NOW_MS = 1_700_000_000_000;

export class ModelStore implements Store {
  /** The clock, in epoch milliseconds, stands still unless a test gives another. */
  constructor(
    private readonly clock: () => number = () => MODEL_NOW_MS,
    /** Keys of several shards can't be changed together. */
    private readonly shardOf: (key: EntryKey) => string = () => "",
  ) {}

  private readonly rows = new Map<string, Row | null>();
  /** What was asked of it, in order. */
  readonly calls: { method: keyof Store; caller?: Caller }[] = [];
  /** Awaited by each call before it does anything: a test may put a promise here that it settles. */
  gate: Promise<void> | undefined;

  get(key: EntryKey, caller?: Caller): Promise<Entry | null> {
    return this.call("get", caller, () => this.entry(keyName(key)));
  }

  head(key: EntryKey, caller?: Caller): Promise<EntryInfo | null> {
    return this.call("head", caller, () => this.info(keyName(key)));
  }

  put(key: EntryKey, entry: NewEntry, condition: Condition = {}, caller?: Caller): Promise<Version | null> {
    const { expiry, ...content } = entry;
    const write = { kind: "put", version: newVersion(), content, expiry, condition } as const;
    return this.call("put", caller, () => this.write(key, write) as Version | null);
  }

  delete(key: EntryKey, ifMatch?: Condition["ifMatch"], caller?: Caller): Promise<boolean> {
    return this.call("delete", caller, () => this.write(key, { kind: "delete", ifMatch }) as boolean);
  }

  expire(key: EntryKey, expiry: ExpiryTime, condition: ExpireCondition = {}, caller?: Caller): Promise<ExpireResult> {
    return this.call("expire", caller, () => this.write(key, { kind: "expire", expiry, condition }) as ExpireResult);
  }

  persist(key: EntryKey, caller?: Caller): Promise<boolean> {
    return this.call("persist", caller, () => this.write(key, { kind: "persist" }) as boolean);
  }

  update<A>(key: EntryKey, update: Update<A>, caller?: Caller): Promise<A> {
    const write = { kind: "update", version: newVersion(), update } as const;
    return this.call("update", caller, () => this.write(key, write) as A);
  }

  transact<A>(keys: EntryKey[], { apply }: Transaction<A>, caller?: Caller): Promise<{ answer: A } | null> {
    return this.call("transact", caller, () => {
      if (new Set(keys.map(this.shardOf)).size > 1) return null;
      const found = keys.map((key) => this.live(keyName(key)));
      const { entries, answer } = apply(found, this.clock());
      for (const [i, key] of keys.entries()) {
        this.rows.set(keyName(key), leaving(found[i] ?? null, entries[i] ?? null, newVersion()));
      }
      return { answer };
    });
  }
  /** In the order of keys, whichever is asked for. */
  list({ start, end, reverse, limit, valueBytes = Infinity, rest }: ListQuery, caller?: Caller): Promise<ListPage> {
    return this.call("list", caller, () => {
      const sign = reverse ? -1 : 1;
      if (rest && !("bound" in rest)) throw new RangeError("not a rest of this store");
      const isLeft = (key: Buffer) => !rest || Buffer.compare(key, rest.bound) < 0 === reverse;
      const entries = [...this.rows.keys()]
        .map((name) => ({ key: Buffer.from(name, "latin1") as EntryKey, info: this.info(name) }))
        .filter(({ key }) => Buffer.compare(start, key) <= 0 && Buffer.compare(key, end) < 0)
        .filter(({ key }) => isLeft(key))
        .toSorted((a, b) => sign * Buffer.compare(a.key, b.key))
        .flatMap(({ key, info }) => (info ? [{ ...info, key }] : []));
      let bytes = 0;
      const overflow = entries.findIndex((entry, i) => {
        bytes += entry.valueBytes;
        return i >= limit || (bytes > valueBytes && i > 0);
      });
      if (overflow < 0) return { entries, rest: null };
      const { key } = entries[overflow - 1] as ListedEntry;
      return { entries: entries.slice(0, overflow), rest: { bound: reverse ? key : following(key) } };
    });
  }

  ping(): Promise<void> {
    return this.call("ping", undefined, () => {});
  }

  /** What is kept under `namespace/key`. */
  entry(name: string): Entry | null {
    const row = this.rows.get(name);
    if (!row?.content || !isLive(row, this.clock())) return null;
    const { version, expiresAtMs: atMs, content } = row;
    const expiry = atMs === null ? null : { atMs, ttlMs: atMs - this.clock() };
    return { ...content, version, valueBytes: content.value.length, expiry };
  }

  private info(name: string): EntryInfo | null {
    const { value: _, ...info } = this.entry(name) ?? {};
    return "version" in info ? (info as EntryInfo) : null;
  }

  private live(name: string): Row | null {
    const row = this.rows.get(name);
    return row && isLive(row, this.clock()) ? row : null;
  }
  private async call<T>(method: keyof Store, caller: Caller | undefined, work: () => T): Promise<T> {
    this.calls.push({ method, caller });
    await this.gate;
    return work();
  }

  private write(key: EntryKey, write: Write): Answer {
    const { row, answer } = decide(this.rows.get(keyName(key)) ?? null, write, this.clock());
    this.rows.set(keyName(key), row);
    return answer;
  }
}
