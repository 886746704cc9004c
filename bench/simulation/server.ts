// A server: the store's own lanes and admission (src/batching/), on a simulated thread that reads requests, sends
// statements and writes answers, and over simulated shards.

import { drainMicrotasks } from "bun:jsc";
import { type BatchingStore, batchingStore } from "../../src/batching/batching.ts";
import type { Clock } from "../../src/batching/clock.ts";
import { readConfig } from "../../src/config.ts";
import { ONE_SHARD } from "../../src/database/shards.ts";
import { type Found, type Reads, Table } from "../../src/database/table.ts";
import { BATCH_BYTES, BATCH_READ_BYTES } from "../../src/limits.ts";
import { StoreError } from "../../src/store/error.ts";
import { type Entry, type EntryKey, entryKey, keyName, type NewEntry } from "../../src/store/store.ts";
import { newVersion } from "../../src/store/version.ts";
import { type Costs, type Kind, of } from "./costs.ts";
import type { Events } from "./events.ts";
import type { Processor } from "./processor.ts";
import type { Shard } from "./shard.ts";

export type Outcome = "done" | "overloaded" | "unavailable";

export interface Call {
  kind: Kind;
  shard: number;
  /** About the key that everybody calls. */
  hot: boolean;
  answered: (outcome: Outcome) => void;
}

export interface ServerOptions {
  /** Calls that it lets in at once. */
  maxCalls: number;
  /** To vtgate: each carries one statement at a time. */
  connections: number;
}

const CONFIG = readConfig({});
export const DEFAULT_SERVER: ServerOptions = {
  maxCalls: CONFIG.KV_QUEUE_CALLS,
  connections: CONFIG.KV_CONNECTIONS,
};

/** Requests that a thread reads before it looks what they have led to. */
const CALLS_A_TURN = 64;
/** The first answers of a batch are on their way before the last are written. */
const ANSWERS_AT_ONCE = 16;
/** So many that hardly two calls of a batch are about the same. */
const KEYS_OF_SHARD = 5_000;
const HOT_KEY = entryKey("hot", "key");
/** By shard; one simulation after the other asks for the same. */
const keys: EntryKey[][] = [];

/** Something for the thread to do: how long it takes, and what then happens. */
interface Work {
  seconds: number;
  action: () => void;
}

export class Server {
  private readonly store: BatchingStore;
  private readonly entry: NewEntry;
  private readonly found: Entry;
  /** What has arrived, what the present turn has yet to do, and what its end is for. */
  private inbox: Work[] = [];
  private rest: Work[] = [];
  private soon: (() => void)[] = [];
  private isRunning = false;
  private isDead = false;
  private readonly calls = new Set<Call>();
  private statements = 0;
  private unsent: (() => void)[] = [];

  constructor(
    private readonly events: Events,
    private readonly thread: Processor,
    private readonly gate: Processor,
    shards: Shard[],
    private readonly costs: Costs,
    private readonly options: ServerOptions,
    private readonly random: () => number,
  ) {
    const value = Buffer.alloc(costs.valueBytes);
    this.entry = { value, contentType: "text/plain", metadata: null, expiry: "never" };
    const { contentType, metadata } = this.entry;
    this.found = { value, valueBytes: value.length, version: newVersion(), contentType, metadata, expiry: null };
    const tables = shards.map(
      (shard) => new SimulatedTable((...statement) => this.run(shard, ...statement), this.found),
    );
    const bytes = options.maxCalls === Number.POSITIVE_INFINITY ? options.maxCalls : CONFIG.KV_QUEUE_BYTES;
    this.store = batchingStore(
      {
        ...ONE_SHARD,
        shardOf: (key) => (key === HOT_KEY ? "0" : String(key.readUInt16BE(0))),
        tableAt: (shard) => tables[Number(shard)] as Table,
        ping: async () => {},
      },
      {
        ...{ inFlight: { reads: CONFIG.KV_STATEMENTS, writes: 1 }, batchRows: CONFIG.KV_BATCH_ROWS },
        ...{ batchBytes: BATCH_BYTES, maxCalls: options.maxCalls, maxBytes: bytes, deadlineMs: CONFIG.KV_DEADLINE_MS },
      },
      this.clock(),
    );
  }

  receive(call: Call) {
    if (this.isDead) return call.answered("unavailable");
    const seconds = this.store.isFull() ? this.costs.refusal : this.costs[call.kind].request;
    this.arrive(seconds, () => this.begin(call));
  }

  /** Its connections are reset: whoever waits learns so at once. */
  kill() {
    this.isDead = true;
    for (const call of this.calls) call.answered("unavailable");
    this.calls.clear();
    [this.inbox, this.rest, this.soon, this.unsent] = [[], [], [], []];
  }

  private clock(): Clock {
    const { events } = this;
    const every = (ms: number, action: () => void) =>
      events.at(events.now + ms / 1000, () => {
        if (this.isDead) return;
        action();
        every(ms, action);
      });
    return {
      now: () => 1000 * events.now,
      soon: (action) => {
        this.soon.push(action);
        this.wake();
      },
      sleep: (ms) => new Promise<void>((resolve) => events.at(events.now + ms / 1000, resolve)),
      every,
      random: this.random,
    };
  }

  private begin(call: Call) {
    const key = call.hot ? HOT_KEY : keyIn(call.shard, this.random());
    const settle = (outcome: Outcome) => {
      if (!this.calls.delete(call)) return;
      const seconds = outcome === "done" ? this.costs[call.kind].answer : 0;
      this.rest.push({ seconds, action: () => call.answered(outcome) });
      this.wake();
    };
    const fail = (error: unknown) => settle((error as StoreError).code as Outcome);
    this.calls.add(call);
    try {
      const answer = call.kind === "read" ? this.store.get(key) : this.store.put(key, this.entry);
      answer.then(() => settle("done"), fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Sends a statement once a connection is free, and resolves with its answer. */
  private run(shard: Shard, kind: Kind, rows: number, hot: boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const costs = this.costs[kind];
    const done = (happened: boolean) => {
      if (this.isDead) return;
      this.statements -= 1;
      this.unsent.shift()?.();
      this.arrive(0, () => (happened ? resolve() : reject(new StoreError("unavailable", "no primary"))));
    };
    const send = () => {
      this.statements += 1;
      this.rest.push({
        seconds: of(costs.client, rows),
        action: () => this.gate.compute(of(costs.gate, rows), "burst", () => shard.submit({ kind, rows, hot, done })),
      });
      this.wake();
    };
    if (this.statements < this.options.connections) send();
    else this.unsent.push(send);
    return promise;
  }

  private arrive(seconds: number, action: () => void) {
    this.inbox.push({ seconds, action });
    this.wake();
  }

  private wake() {
    if (this.isRunning || this.isDead) return;
    this.isRunning = true;
    // After what else happens at this time.
    this.events.at(this.events.now, () => this.turn());
  }

  /** One turn of the event loop: some of what has arrived, all that this leads to, then the statements of free lanes. */
  private turn() {
    this.compute(this.inbox.splice(0, CALLS_A_TURN), this.costs.wake);
  }

  private compute(works: Work[], further = 0) {
    const seconds = works.reduce((sum, work) => sum + work.seconds, further);
    this.thread.compute(seconds, "steady", () => {
      if (this.isDead) return;
      for (const { action } of works) action();
      drainMicrotasks();
      this.goOn();
    });
  }

  private goOn() {
    if (this.rest.length > 0) this.compute(this.rest.splice(0, ANSWERS_AT_ONCE));
    else if (this.soon.length > 0) {
      for (const action of this.soon.splice(0)) action();
      drainMicrotasks();
      this.goOn();
    } else if (this.inbox.length > 0) this.turn();
    else this.isRunning = false;
  }
}

/** Finds every key, and stores nothing. */
class SimulatedTable extends Table {
  constructor(
    private readonly send: (kind: Kind, rows: number, hot: boolean) => Promise<void>,
    private readonly entry: Entry,
  ) {
    super({ execute: () => Promise.reject(new Error("this statement is not simulated")), close: async () => {} });
  }

  override async read<K extends keyof Reads>(_: K, keys: EntryKey[]) {
    await this.send("read", keys.length, false);
    const found = this.entry.valueBytes > BATCH_READ_BYTES / keys.length ? "large" : this.entry;
    return new Map(keys.map((key) => [keyName(key), found])) as Found<Reads[K]>;
  }

  override async put(puts: { key: EntryKey }[]) {
    await this.send(
      "write",
      puts.length,
      puts.some(({ key }) => key === HOT_KEY),
    );
  }
}

function keyIn(shard: number, chance: number): EntryKey {
  keys[shard] ??= Array.from({ length: KEYS_OF_SHARD }, (_, number) => {
    const key = Buffer.alloc(6);
    key.writeUInt16BE(shard);
    key.writeUInt32BE(number, 2);
    return key as EntryKey;
  });
  return keys[shard][Math.floor(chance * KEYS_OF_SHARD)] as EntryKey;
}
