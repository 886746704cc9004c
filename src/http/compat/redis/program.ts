// Programs: commands that happen together, as one change of one key. Scripts, transactions, and MSET.
//
// A program may read several keys, each at an instant of its own, and change one, as one update of it: what it reads there
// is what is there when its change is made. Of which it will be, a run on what all of its keys hold tells before.

import { BATCH_HELD_BYTES } from "../../../limits.ts";
import { decide, isLive, type Row } from "../../../store/decide.ts";
import { StoreError } from "../../../store/error.ts";
import {
  type Caller,
  type Entry,
  type EntryKey,
  type EntryState,
  keyName,
  type Store,
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
const SEVERAL_KEYS = new RedisError(
  "CROSSSLOT scripts and transactions may change one key, and several keys together never; nothing was changed",
);
const NOT_ALLOWED = new RedisError("ERR This Redis command is not allowed from script or transaction");
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
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const rows = new Map<string, Row | null>();
    let [target] = keys;
    if (keys.length !== 1) {
      const entries = await Promise.all(keys.map((key) => store.get(key, caller)));
      const nowMs = Math.max(...entries.map(nowOf));
      for (const [i, key] of keys.entries()) rows.set(keyName(key), rowOf(entries[i] as Entry | null));
      const trial = rowsOf(keys, rows, Number.isFinite(nowMs) ? nowMs : Date.now(), newVersion());
      const reply = program.run(trial);
      const [changed, ...more] = trial.changed();
      if (changed === undefined) return reply;
      if (more.length > 0) throw SEVERAL_KEYS;
      target = keys.find((key) => keyName(key) === changed);
    }
    const reply = await store.update(target as EntryKey, updateOf(program, keys, target as EntryKey, rows), caller);
    if (reply !== MOVED) {
      if (reply instanceof Failure) throw reply.error;
      return reply;
    }
  }
  throw new StoreError("unavailable", "the keys that the script reads keep changing");
}

/** What a program has thrown. */
class Failure extends RedisError {
  constructor(readonly error: RedisError) {
    super(error.message);
  }
}

/** The program as a change of one of its keys, the others being what they were. */
function updateOf(
  program: Program,
  keys: EntryKey[],
  target: EntryKey,
  others: Map<string, Row | null>,
): Update<Reply> {
  return {
    ...{ valueBytes: Number.POSITIVE_INFINITY, bytes: program.bytes },
    apply: (found, { nowMs, version }) => {
      const rows = rowsOf(keys, new Map(others).set(keyName(target), found && { version, ...found }), nowMs, version);
      try {
        const answer = program.run(rows);
        const isElsewhere = rows.changed().some((name) => name !== keyName(target));
        return isElsewhere ? { entry: found, answer: MOVED } : { entry: rows.stateAfter(target, found), answer };
      } catch (error) {
        if (error instanceof RedisError) return { entry: found, answer: new Failure(error) };
        throw error;
      }
    },
  };
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
