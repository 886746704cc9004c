// Commands on keys whatever their values are: whether they are there, and when they expire.

import { allows, instantOf } from "../../../store/decide.ts";
import type { EntryKey, ExpireCondition, Update } from "../../../store/store.ts";
import { type Context, expiryOf, integer, keyOf, type Unit, word } from "./arguments.ts";
import type { Command } from "./command.ts";
import { RedisError, type Reply, Status } from "./reply.ts";
import type { Info, Plan, Step } from "./step.ts";
import { isHash } from "./values.ts";

const MANY: Command["args"] = [1, Number.POSITIVE_INFINITY];
const GT_AND_LT = new RedisError("ERR GT and LT options at the same time are not compatible");
const NX_AND_OTHERS = new RedisError("ERR NX and XX, GT or LT options at the same time are not compatible");
const [STRING, HASH, NONE] = [new Status("string"), new Status("hash"), new Status("none")];

/** What the TTL commands answer of a key that is not there, and of one that never expires. */
const [ABSENT, FOREVER] = [-2, -1];

const exists: Command = {
  args: MANY,
  plan: (keys, context) => counted(keys, context, (key) => ({ kind: "head", key, reply: (info) => (info ? 1 : 0) })),
};
const removes: Command = {
  args: MANY,
  plan: (keys, context) => counted(keys, context, (key) => ({ kind: "update", key, update: REMOVE })),
};

export const KEYS: Record<string, Command> = {
  ...{ DEL: removes, UNLINK: removes, EXISTS: exists, TOUCH: exists },
  TYPE: look((info) => (!info ? NONE : isHash(info) ? HASH : STRING)),
  TTL: look(expiring(({ ttlMs }) => Math.floor((ttlMs + 500) / 1000))),
  PTTL: look(expiring(({ ttlMs }) => ttlMs)),
  EXPIRETIME: look(expiring(({ atMs }) => Math.floor((atMs + 500) / 1000))),
  PEXPIRETIME: look(expiring(({ atMs }) => atMs)),
  EXPIRE: expires("EX", "expire"),
  PEXPIRE: expires("PX", "pexpire"),
  EXPIREAT: expires("EXAT", "expireat"),
  PEXPIREAT: expires("PXAT", "pexpireat"),
  PERSIST: {
    args: [1, 1],
    plan: ([key], context) => ({ steps: [{ kind: "update", key: keyOf(key as Buffer, context), update: PERSIST }] }),
  },
};

const REMOVE: Update<Reply> = { bytes: 0, apply: (found) => ({ entry: null, answer: found ? 1 : 0 }) };

const PERSIST: Update<Reply> = {
  bytes: 0,
  apply: (found) =>
    found && found.expiresAtMs !== null
      ? { entry: { content: found.content, expiresAtMs: null }, answer: 1 }
      : { entry: found, answer: 0 },
};

function look(reply: (info: Info | null) => Reply): Command {
  return {
    args: [1, 1],
    plan: ([key], context) => ({ steps: [{ kind: "head", key: keyOf(key as Buffer, context), reply }] }),
  };
}

function expiring(read: (expiry: { atMs: number; ttlMs: number }) => number) {
  return (info: Info | null): Reply => (!info ? ABSENT : info.expiry ? read(info.expiry) : FOREVER);
}

/** Each key by itself; answered is of how many it was true. */
function counted(keys: Buffer[], context: Context, step: (key: EntryKey) => Step): Plan {
  return {
    steps: keys.map((key) => step(keyOf(key, context))),
    join: (replies) => replies.reduce<number>((sum, each) => sum + Number(each), 0),
  };
}

function expires(unit: Unit, command: string): Command {
  return {
    args: [2, Number.POSITIVE_INFINITY],
    plan: ([key, time, ...args], context) => {
      const conditions = conditionsOf(args);
      const expiry = expiryOf(integer(time as Buffer), unit, command);
      const apply: Update<Reply>["apply"] = (found, { nowMs }) => {
        if (!found) return { entry: null, answer: 0 };
        const expiresAtMs = instantOf(expiry, nowMs);
        const holds = conditions.every((condition) => allows(condition, found.expiresAtMs, expiresAtMs));
        return holds ? { entry: { content: found.content, expiresAtMs }, answer: 1 } : { entry: found, answer: 0 };
      };
      return { steps: [{ kind: "update", key: keyOf(key as Buffer, context), update: { apply, bytes: 0 } }] };
    },
  };
}

/** XX goes with GT or LT, and all of them must hold. */
function conditionsOf(args: Buffer[]): ExpireCondition["if"][] {
  const given = new Set<string>();
  for (const argument of args) {
    const option = word(argument);
    if (!["NX", "XX", "GT", "LT"].includes(option)) throw new RedisError(`ERR Unsupported option ${argument}`);
    given.add(option);
  }
  if (given.has("NX") && given.size > 1) throw NX_AND_OTHERS;
  if (given.has("GT") && given.has("LT")) throw GT_AND_LT;
  return [...given].map((option) => option.toLowerCase() as ExpireCondition["if"]);
}
