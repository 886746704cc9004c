// Programs: commands that happen together. Scripts, transactions, and MSET.
//
// Where one shard has all keys of a program, it happens at one instant. Where several have them, it may read all of its
// keys and change those of one shard: these are changed at one instant, in which they are what the program has read, and
// of the others each was what it has read at an instant shortly before. Which keys it changes, a run on what all of them
// hold tells before.

import { BATCH_BYTES, BATCH_HELD_BYTES } from "../../../limits.ts";
import { decide, isLive, type Row } from "../../../store/decide.ts";
import { StoreError } from "../../../store/error.ts";
import {
  type Caller,
  type Entry,
  type EntryKey,
  type EntryState,
  keyName,
  type Store,
  type Transaction,
  type Update,
} from "../../../store/store.ts";
import { newVersion, type Version } from "../../../store/version.ts";
import type { Context } from "./arguments.ts";
import { RedisError, type Reply } from "./reply.ts";
import { answered, type Info, joined, type Plan, type Step } from "./step.ts";

export interface Program {
  /** All keys that it may look at or change. */
  keys: EntryKey[];
  /** By how much it makes values longer, as far as that can be told; memory is set aside for so much. */
  bytes: number;
  /** Pure, because it may be run several times. A RedisError that it throws means that nothing is changed. */
  run: (rows: Rows) => Reply;
}

const ATTEMPTS = 5;
const TOO_MANY_KEYS = new RedisError("ERR a script or transaction has more keys than may be held in memory at once");
const UNDECLARED = new RedisError("ERR Script attempted to access a non local key in a cluster node");
const SEVERAL_SHARDS = new RedisError(
  "CROSSSLOT Keys that are changed together must be in one shard; nothing was changed",
);
const NOT_ALLOWED = new RedisError("ERR This Redis command is not allowed from script or transaction");
const TOO_LARGE_TOGETHER = new RedisError(
  `ERR the values that are changed together have at most ${BATCH_BYTES} bytes; nothing was changed`,
);
/** Answered by an update whose program would now change another key. */
const MOVED = new RedisError("MOVED");

/** What a program sees of its keys, and makes of them. */
export class Rows {
  private readonly before = new Map<string, Row | null>();
  private readonly after = new Map<string, Row | null>();

  constructor(
    /** Epoch milliseconds. */
    private readonly nowMs: number,
    private readonly version: Version,
  ) {}

  set(key: EntryKey, row: Row | null) {
    this.before.set(keyName(key), row);
    this.after.set(keyName(key), row);
  }

  /** The names of keys of which something else is there than before. */
  changed(): string[] {
    return [...this.after.keys()].filter((name) => this.after.get(name) !== this.before.get(name));
  }

  /** What the program leaves of a key: the very same as it has found where that is unchanged. */
  stateAfter(key: EntryKey, found: EntryState | null): EntryState | null {
    const name = keyName(key);
    const after = this.after.get(name) ?? null;
    return after === this.before.get(name) ? found : after;
  }

  /** Does a command; throws a RedisError for one that is not about its keys. */
  perform(plan: Plan): Reply {
    if ("reply" in plan) return plan.reply;
    if (!("steps" in plan)) throw NOT_ALLOWED;
    if (!plan.steps.every(({ key }) => this.after.has(keyName(key)))) throw UNDECLARED;
    return answered(() =>
      joined(
        plan,
        plan.steps.map((step) => this.step(step)),
      ),
    );
  }

  private step(step: Step): Reply {
    const name = keyName(step.key);
    const found = this.after.get(name) ?? null;
    const row = found && isLive(found, this.nowMs) ? found : null;
    const { nowMs, version } = this;
    switch (step.kind) {
      case "get":
        return answered(() => step.reply(row?.content ?? null));
      case "head":
        return answered(() => step.reply(row && infoOf(row, nowMs)));
      case "put": {
        const { expiry, ...content } = step.entry;
        const write = { kind: "put", version, content, expiry, condition: step.condition ?? {} } as const;
        const { row: after, answer } = decide(row, write, nowMs);
        this.after.set(name, after);
        return step.reply(answer !== null);
      }
      case "update": {
        const { row: after, answer } = decide(row, { kind: "update", version, update: step.update }, nowMs);
        this.after.set(name, after);
        return answer as Reply;
      }
    }
  }
}

/** Throws a RedisError for more keys than there is memory for, each with the largest value. */
export function requireHeld(keys: EntryKey[], { maxValueBytes }: Context): EntryKey[] {
  if (keys.length * maxValueBytes > BATCH_HELD_BYTES && keys.length > 1) throw TOO_MANY_KEYS;
  return keys;
}

/** Runs a program, and has the store change what that changes. Throws a RedisError where nothing is changed. */
export async function execute(store: Store, program: Program, caller: Caller): Promise<Reply> {
  const keys = [...new Map(program.keys.map((key) => [keyName(key), key])).values()];
  const [only, ...more] = keys;
  if (!only || more.length > 0) {
    // Where one shard has all of them, nothing is in between.
    const done = await store.transact(keys, together(changing(program, keys, keys, new Map()), program), caller);
    if (done) return settled(done.answer);
    return executeApart(store, program, keys, caller);
  }
  return settled(await store.update(only, alone(changing(program, keys, keys, new Map()), program), caller));
}

/** The same where its keys are in several shards: those that are changed must be in one. */
async function executeApart(store: Store, program: Program, keys: EntryKey[], caller: Caller): Promise<Reply> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entries = await Promise.all(keys.map((key) => store.get(key, caller)));
    const found = new Map(keys.map((key, i) => [keyName(key), rowOf(entries[i] ?? null)]));
    const nowMs = Math.max(...entries.map(nowOf));
    const trial = rowsOf(keys, found, Number.isFinite(nowMs) ? nowMs : Date.now(), newVersion());
    const reply = program.run(trial);
    const changed = new Set(trial.changed());
    if (changed.size === 0) return reply;
    const targets = keys.filter((key) => changed.has(keyName(key)));
    const change = changing(program, keys, targets, found);
    const done =
      targets.length === 1
        ? { answer: await store.update(targets[0] as EntryKey, alone(change, program), caller) }
        : await store.transact(targets, together(change, program), caller);
    if (!done) throw SEVERAL_SHARDS;
    if (done.answer !== MOVED) return settled(done.answer);
  }
  throw new StoreError("unavailable", "the keys that the script reads keep changing");
}

/** What a program has thrown. */
class Failure extends RedisError {
  constructor(readonly error: RedisError) {
    super(error.message);
  }
}

function settled(answer: Reply): Reply {
  if (answer instanceof Failure) throw answer.error;
  return answer;
}

type Change = (
  found: (EntryState | null)[],
  nowMs: number,
  version: Version,
) => {
  entries: (EntryState | null)[];
  answer: Reply;
};

/** A program as a change of some of its keys, the targets, the others being what they were. */
function changing(program: Program, keys: EntryKey[], targets: EntryKey[], others: Map<string, Row | null>): Change {
  const names = new Set(targets.map(keyName));
  return (found, nowMs, version) => {
    const known = new Map(others);
    for (const [i, key] of targets.entries()) known.set(keyName(key), found[i] ? { version, ...found[i] } : null);
    const rows = rowsOf(keys, known, nowMs, version);
    try {
      const answer = program.run(rows);
      if (!rows.changed().every((name) => names.has(name))) return { entries: found, answer: MOVED };
      const entries = targets.map((key, i) => rows.stateAfter(key, found[i] ?? null));
      requireFit(entries.filter((entry, i) => entry?.content !== found[i]?.content));
      return { entries, answer };
    } catch (error) {
      if (error instanceof RedisError) return { entries: found, answer: new Failure(error) };
      throw error;
    }
  };
}

/** Throws a RedisError where values would be written together that no statement can hold. */
function requireFit(changed: (EntryState | null)[]) {
  const bytes = changed.reduce((sum, entry) => sum + (entry?.content?.value.length ?? 0), 0);
  if (changed.length > 1 && bytes > BATCH_BYTES) throw TOO_LARGE_TOGETHER;
}

function alone(change: Change, { bytes }: Program): Update<Reply> {
  return {
    ...{ valueBytes: Number.POSITIVE_INFINITY, bytes },
    apply: (found, { nowMs, version }) => {
      const { entries, answer } = change([found], nowMs, version);
      return { entry: entries[0] ?? null, answer };
    },
  };
}

function together(change: Change, { bytes }: Program): Transaction<Reply> {
  return { bytes, apply: (found, nowMs) => change(found, nowMs, newVersion()) };
}

function rowsOf(keys: EntryKey[], found: Map<string, Row | null>, nowMs: number, version: Version): Rows {
  const rows = new Rows(nowMs, version);
  for (const key of keys) rows.set(key, found.get(keyName(key)) ?? null);
  return rows;
}

function rowOf(entry: Entry | null): Row | null {
  if (!entry) return null;
  const { version, expiry, ...content } = entry;
  return { version, expiresAtMs: expiry?.atMs ?? null, content };
}

/** By the clock of its shard's primary, where the entry tells. */
function nowOf(entry: Entry | null): number {
  return entry?.expiry ? entry.expiry.atMs - entry.expiry.ttlMs : Number.NEGATIVE_INFINITY;
}

function infoOf({ content, expiresAtMs: atMs }: Row, nowMs: number): Info {
  const expiry = atMs === null ? null : { atMs, ttlMs: atMs - nowMs };
  return { valueBytes: content?.value.length ?? 0, contentType: content?.contentType ?? "", expiry };
}
