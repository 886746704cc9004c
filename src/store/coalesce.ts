// A Store around a Store: calls that arrive while a statement is under way become the next statement.
//
// Why this is linearizable, given a store that is:
//  1. A call joins a batch only before its statement is sent, and is answered only after the statement has ended.
//     So its effect lies between its beginning and its end, as if it had been sent alone.
//  2. Hence a read that begins after a write was acknowledged is in a statement sent after that write's ended.
//  3. Several reads of a key in one batch see one row: as if they had happened at the same instant.
//  4. Of several writes of a key in one batch the last to arrive is sent. The others happened just before it,
//     unseen, each with a version of its own that nobody will meet.
//  5. Writes of one key that can't share a batch (a PUT and a DELETE, conditional writes, TTL calls) go one kind after
//     the other in the order of arrival. Nothing requires that, as they are concurrent; but a caller who sends two of
//     different kinds without waiting finds them done in that order. Of a kind only a few are under way at once, so
//     that a hot key's callers wait here and not at its lock, each with a connection.
//  6. A batch is for one shard, so it happens as a whole or not at all, and an error is about all of it alike. If the
//     map of shards is stale, vtgate refuses a write and says so, and it is sent again in smaller parts.

import { Admission, type AdmissionOptions } from "../batching/admission.ts";
import { Lane, type LaneOptions, type Waiting } from "../batching/lane.ts";
import { LARGE_BATCH_ROWS } from "../limits.ts";
import { KeyOrder } from "./order.ts";
import {
  type BatchStore,
  type Condition,
  type Entry,
  type EntryInfo,
  type EntryKey,
  type ExpireCondition,
  type ExpireResult,
  type ExpiryTime,
  keyName,
  type NewEntry,
  newVersion,
  type Put,
  type Store,
  type Version,
} from "./store.ts";

export interface CoalesceOptions extends AdmissionOptions {
  /** Statements of one kind (reads, puts, deletes) under way at once in a shard. */
  statements: { reads: number; writes: number };
  /** Most rows, and bytes of their keys and values, in one statement. */
  batchRows: number;
  batchBytes: number;
  /** Names the shard of a key; a wrong name costs speed only. */
  shardOf: (key: EntryKey) => string;
}

/** Statements for large values at once in a shard: each carries a few of them only. */
const LARGE_STATEMENTS = 4;
const BATCHED = new Set(["put", "delete"]);
/** Statements of a kind on one key at once, for calls that can't share one: the row's lock takes one at a time anyway. */
const ALONE_PER_KEY = 4;

type Read = Waiting<EntryKey, Entry | null>;

export class CoalescingStore implements Store {
  private readonly admission: Admission;
  private readonly reads: (key: EntryKey) => Lane<EntryKey, Entry | null>;
  /** Reads whose value was larger than its share of a statement. */
  private readonly larges: (key: EntryKey) => Lane<EntryKey, Entry | null>;
  /** Reads that have found their entry expired. */
  private readonly confirms: (key: EntryKey) => Lane<EntryKey, Entry | null>;
  private readonly puts: (key: EntryKey) => Lane<Put, Version>;
  private readonly deletes: (key: EntryKey) => Lane<EntryKey, boolean>;
  private readonly order = new KeyOrder((kind) => (BATCHED.has(kind) ? Number.POSITIVE_INFINITY : ALONE_PER_KEY));

  constructor(
    private readonly store: BatchStore,
    options: CoalesceOptions,
  ) {
    this.admission = new Admission(options);
    const { statements, shardOf, batchRows, batchBytes: maxBytes } = options;
    const lanes = <T, R>(inFlight: number, send: LaneOptions<T, R>["send"], maxRows = batchRows) =>
      perShard(shardOf, () => new Lane<T, R>({ inFlight, maxRows, maxBytes, send }));
    this.reads = lanes(
      statements.reads,
      this.sendReads((waiting) => this.larges(waiting.item).add(waiting)),
    );
    this.larges = lanes(
      LARGE_STATEMENTS,
      this.sendReads(({ item, call }) => call.run(() => store.get(item, call.deadline))),
      LARGE_BATCH_ROWS,
    );
    this.confirms = lanes(statements.reads, (batch, deadline) => this.sendConfirms(batch, deadline));
    this.puts = lanes(statements.writes, async (batch, deadline) => {
      await store.putMany(lastOfEach(batch), deadline);
      for (const { item, call } of batch) call.resolve(item.version);
    });
    this.deletes = lanes(statements.writes, async (batch, deadline) => {
      await store.deleteMany(lastOfEach(batch), deadline);
      for (const { call } of batch) call.resolve(true);
    });
  }

  private sendReads(onLarge: (waiting: Read) => void) {
    return async (batch: Read[], deadline: number) => {
      const found = await this.store.getMany(lastOfEach(batch), deadline);
      for (const waiting of batch) {
        const entry = found.get(waiting.id) ?? null;
        if (entry === "expired") this.confirms(waiting.item).add(waiting);
        else if (entry === "large") onLarge(waiting);
        else waiting.call.resolve(entry);
      }
    };
  }

  private async sendConfirms(batch: Read[], deadline: number) {
    const found = await this.store.confirmMany(lastOfEach(batch), deadline);
    // Those of one key wait together for its writer.
    const waits = new Map<string, Promise<Entry | null>>();
    for (const { id, item, call } of batch) {
      const entry = found.get(id);
      if (entry !== undefined) {
        call.resolve(entry);
        continue;
      }
      call.run(() => {
        const wait = waits.get(id) ?? this.store.get(item, deadline);
        waits.set(id, wait);
        return wait;
      });
    }
  }

  /** Whether it turns away every call at present. */
  get full(): boolean {
    return this.admission.full;
  }

  get(key: EntryKey): Promise<Entry | null> {
    const call = this.admission.admit<Entry | null>(key.length, false);
    this.reads(key).add({ id: keyName(key), item: key, call });
    return call.promise;
  }

  head(key: EntryKey): Promise<EntryInfo | null> {
    const call = this.admission.admit<EntryInfo | null>(key.length, false);
    call.run(() => this.store.head(key, call.deadline));
    return call.promise;
  }

  put(key: EntryKey, entry: NewEntry, condition: Condition = {}): Promise<Version | null> {
    const bytes = key.length + entry.contentType.length + (entry.metadata?.length ?? 0) + entry.value.length;
    if (condition.ifMatch || condition.ifNoneMatch || entry.expiry === "keep") {
      return this.alone("conditional put", key, bytes, (deadline) => this.store.put(key, entry, condition, deadline));
    }
    return this.batched("put", this.puts(key), key, { key, version: newVersion(), entry }, bytes);
  }

  delete(key: EntryKey, ifMatch?: Condition["ifMatch"]): Promise<boolean> {
    if (ifMatch) {
      return this.alone("conditional delete", key, key.length, (deadline) => this.store.delete(key, ifMatch, deadline));
    }
    return this.batched("delete", this.deletes(key), key, key, key.length);
  }

  expire(key: EntryKey, expiry: ExpiryTime, condition?: ExpireCondition): Promise<ExpireResult> {
    return this.alone("expire", key, key.length, (deadline) => this.store.expire(key, expiry, condition, deadline));
  }

  persist(key: EntryKey): Promise<boolean> {
    return this.alone("persist", key, key.length, (deadline) => this.store.persist(key, deadline));
  }

  ping(): Promise<void> {
    return this.store.ping();
  }

  /** A write that shares its statement with others of its kind. */
  private batched<T, R>(kind: string, lane: Lane<T, R>, key: EntryKey, item: T, bytes: number): Promise<R> {
    const call = this.admission.admit<R>(bytes, true);
    const id = keyName(key);
    this.order.run(id, kind, call, () => lane.add({ id, item, call }));
    return call.promise;
  }

  /** A write that is a statement of its own. */
  private alone<R>(kind: string, key: EntryKey, bytes: number, work: (deadline: number) => Promise<R>): Promise<R> {
    const call = this.admission.admit<R>(bytes, true);
    this.order.run(keyName(key), kind, call, () => call.run(() => work(call.deadline)));
    return call.promise;
  }
}

function perShard<L>(shardOf: CoalesceOptions["shardOf"], make: () => L): (key: EntryKey) => L {
  const lanes = new Map<string, L>();
  return (key) => {
    const shard = shardOf(key);
    let lane = lanes.get(shard);
    if (!lane) {
      lane = make();
      lanes.set(shard, lane);
    }
    return lane;
  };
}

/** One item of each key: the last, for it is the newest. */
function lastOfEach<T>(batch: { id: string; item: T }[]): T[] {
  const last = new Map<string, T>();
  for (const { id, item } of batch) last.set(id, item);
  return [...last.values()];
}
