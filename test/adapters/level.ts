// A Level database over the client, for whatever is built on abstract-level. What it can't promise: a batch is not atomic,
// because keys are on several shards; an iterator sees what is written while it goes on, and there are no snapshots,
// because the store has none; `getSync` is not there, because the store is remote. Keys have at most 510 bytes.

import { type AbstractDatabaseOptions, AbstractIterator, AbstractLevel } from "abstract-level";
import type { Client, ListEntry } from "../../src/client/index.ts";

type Bytes = Uint8Array;
interface Options extends Partial<Record<"gt" | "gte" | "lt" | "lte", Bytes>> {
  reverse: boolean;
  /** -1 is none. */
  limit: number;
  values?: boolean;
}
type Operation = { type: "put"; key: Bytes; value: Bytes } | { type: "del"; key: Bytes };

/** In front of each key, because the store has no empty key, no "." and no "..". */
const FRONT = Buffer.from("/");
/** Behind all of these. */
const BEHIND = Buffer.from("0");
const PAGE_ENTRIES = 1_000;

const stored = (key: Bytes) => Buffer.concat([FRONT, key]);
const next = (key: Bytes) => Buffer.concat([FRONT, key, Buffer.of(0)]);

export class StoreLevel extends AbstractLevel<Bytes, string, string> {
  constructor(
    readonly client: Client,
    options?: AbstractDatabaseOptions<string, string>,
  ) {
    super({ encodings: { view: true }, has: true, seek: true, implicitSnapshots: false }, options);
  }

  async _get(key: Bytes) {
    return (await this.client.get(stored(key), { type: "bytes" })) ?? undefined;
  }
  _getMany(keys: Bytes[]) {
    return Promise.all(keys.map((key) => this._get(key)));
  }
  async _has(key: Bytes) {
    return (await this.client.head(stored(key))) !== null;
  }
  _hasMany(keys: Bytes[]) {
    return Promise.all(keys.map((key) => this._has(key)));
  }
  async _put(key: Bytes, value: Bytes) {
    await this.client.put(stored(key), value);
  }
  async _del(key: Bytes) {
    await this.client.delete(stored(key));
  }
  async _batch(operations: Operation[]) {
    await Promise.all(operations.map((op) => (op.type === "put" ? this._put(op.key, op.value) : this._del(op.key))));
  }
  async _clear({ limit, ...range }: Options) {
    const deletions = [];
    for await (const { key } of new Range(this.client, { limit, ...range }).walk()) {
      if (deletions.length === limit) break;
      deletions.push(this.client.delete(key));
    }
    await Promise.all(deletions);
  }
  _iterator(options: Options) {
    return new StoreIterator(this, options);
  }
}

class StoreIterator extends AbstractIterator<StoreLevel, Bytes, Bytes> {
  private readonly range: Range;
  private entries: AsyncGenerator<ListEntry, void, void>;

  constructor(db: StoreLevel, options: Options) {
    super(db, options);
    this.range = new Range(db.client, options);
    this.entries = this.range.walk();
  }

  async _next() {
    const { value: entry } = await this.entries.next();
    return entry && [new Uint8Array(Buffer.from(entry.key).subarray(FRONT.length)), entry.value];
  }
  _seek(target: Bytes) {
    this.entries = this.range.walk(target);
  }
  async _close() {
    await this.entries.return();
  }
}

class Range {
  private readonly start: Buffer;
  private readonly end: Buffer;

  constructor(
    private readonly client: Client,
    private readonly options: Options,
  ) {
    const { gt, gte, lt, lte } = options;
    this.start = gte ? stored(gte) : gt ? next(gt) : FRONT;
    this.end = lte ? next(lte) : lt ? stored(lt) : BEHIND;
  }

  /** From a key on, or from the range's beginning; nothing where that key is outside of it. */
  walk(target?: Bytes) {
    const { reverse, limit, values } = this.options;
    let { start, end } = this;
    if (target) {
      const isWithin = Buffer.compare(stored(target), start) >= 0 && Buffer.compare(stored(target), end) < 0;
      if (isWithin && reverse) end = next(target);
      else start = isWithin ? stored(target) : end;
    }
    const pageSize = limit > 0 ? Math.min(limit, PAGE_ENTRIES) : PAGE_ENTRIES;
    return this.client.list({ start, end, reverse, pageSize, include: values ? ["value"] : [] });
  }
}
