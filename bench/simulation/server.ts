// A server: the store's own lanes and admission (src/batching/), on a simulated thread that reads requests, sends
// statements and writes answers, and over simulated shards.

import { drainMicrotasks } from "bun:jsc";
import { type BatchingStore, batchingStore } from "../../src/batching/batching.ts";
import type { Clock } from "../../src/batching/clock.ts";
import { readConfig } from "../../src/config.ts";
import { ONE_SHARD } from "../../src/database/shards.ts";
import { BATCH_BYTES } from "../../src/limits.ts";
import { StoreError } from "../../src/store/error.ts";
import { type Entry, type EntryKey, entryKey, type NewEntry } from "../../src/store/store.ts";
import { newVersion } from "../../src/store/version.ts";
import { type CallName, callKind } from "../costs/calls.ts";
import type { StatementName } from "../costs/costs.ts";
import { NEW, StubTable } from "../costs/stub-table.ts";
import { type Costs, of } from "./costs.ts";
import type { Events } from "./events.ts";
import type { Processor } from "./processor.ts";
import type { Shard } from "./shard.ts";

export type Outcome = "done" | "overloaded" | "unavailable";

export interface Call {
  name: CallName;
  /** Of its key; one with several has them everywhere. */
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
/** Of keys that are of no row yet. */
const NUMBERS = 2 ** 32;
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
    private readonly shards: Shard[],
    private readonly costs: Costs,
    private readonly options: ServerOptions,
    private readonly random: () => number,
  ) {
    const value = Buffer.alloc(costs.valueBytes);
    this.entry = { value, contentType: "text/plain", metadata: null, expiry: "never" };
    const { contentType, metadata } = this.entry;
    this.found = { value, valueBytes: value.length, version: newVersion(), contentType, metadata, expiry: null };
    const tables = shards.map(
      (shard, number) =>
        new StubTable(this.found, keysOf(number), (name, rows, keys) =>
          this.run(shard, name, rows, keys.includes(HOT_KEY)),
        ),
    );
    const ranges = shards.map((_, number) => ({ name: String(number), start: 0n, end: 0n }));
    const bytes = options.maxCalls === Number.POSITIVE_INFINITY ? options.maxCalls : CONFIG.KV_QUEUE_BYTES;
    this.store = batchingStore(
      {
        ...ONE_SHARD,
        all: () => ranges,
        shardOf: (key) => (key === HOT_KEY ? "0" : String(key.readUInt16BE(4))),
        tableAt: (shard) => tables[Number(shard)] as StubTable,
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
    const seconds = this.store.isFull() ? this.costs.refusal : this.costs.calls[call.name].request;
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
    const { isNew = false, keys = 1, make } = callKind(call.name);
    const chosen = Array.from({ length: keys }, () => (call.hot ? HOT_KEY : this.choose(call, isNew, keys > 1)));
    const settle = (outcome: Outcome) => {
      if (!this.calls.delete(call)) return;
      const seconds = outcome === "done" ? this.costs.calls[call.name].answer : 0;
      this.rest.push({ seconds, action: () => call.answered(outcome) });
      this.wake();
    };
    const fail = (error: unknown) => settle((error as StoreError).code as Outcome);
    this.calls.add(call);
    try {
      make(this.store, chosen, this.entry, this.found.version).then(() => settle("done"), fail);
    } catch (error) {
      fail(error);
    }
  }

  private choose({ shard }: Call, isNew: boolean, isAnywhere: boolean): EntryKey {
    const place = isAnywhere ? Math.floor(this.random() * this.shards.length) : shard;
    if (isNew) return keyIn(place, Math.floor(this.random() * NUMBERS), true);
    return keysOf(place)[Math.floor(this.random() * KEYS_OF_SHARD)] as EntryKey;
  }

  /** Sends a statement once a connection is free, and resolves with its answer. */
  private run(shard: Shard, name: StatementName, rows: number, hot: boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const costs = this.costs.statements[name];
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
        action: () => this.gate.compute(of(costs.gate, rows), () => shard.submit({ name, rows, hot, done })),
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
    this.thread.compute(seconds, () => {
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

/** In order. */
function keysOf(shard: number): EntryKey[] {
  keys[shard] ??= Array.from({ length: KEYS_OF_SHARD }, (_, number) => keyIn(shard, number, false));
  return keys[shard];
}

function keyIn(shard: number, number: number, isNew: boolean): EntryKey {
  const key = Buffer.alloc(isNew ? 7 : 6);
  key.writeUInt32BE(number);
  key.writeUInt16BE(shard, 4);
  if (isNew) key.write(NEW, 6);
  return key as EntryKey;
}
