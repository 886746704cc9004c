// Commands on strings: reading and replacing them, and changing a part.

import { instantOf } from "../../../store/decide.ts";
import type { Content, EntryState, ExpiryTime, NewExpiry, Update } from "../../../store/store.ts";
import { DEFAULT_CONTENT_TYPE } from "../../content.ts";
import { type Context, integer, isUnit, keyOf, positiveExpiry, type Unit, word } from "./arguments.ts";
import type { Command } from "./command.ts";
import { OK, RedisError, type Reply, SYNTAX_ERROR, TOO_LARGE } from "./reply.ts";
import type { Plan, Step } from "./step.ts";
import { deciding, isHash, textIn } from "./values.ts";

type Bytes = readonly Buffer[];

const OUT_OF_RANGE = new RedisError("ERR offset is out of range");

export const STRINGS: Record<string, Command> = {
  GET: {
    args: [1, 1],
    plan: ([key], context) => one({ kind: "get", key: keyOf(key as Buffer, context), reply: valueIn }),
  },
  MGET: {
    args: [1, Number.POSITIVE_INFINITY],
    plan: (keys, context) => ({
      steps: keys.map((key): Step => {
        return { kind: "get", key: keyOf(key, context), reply: (entry) => (isHash(entry) ? null : valueIn(entry)) };
      }),
      join: (replies) => replies,
    }),
  },
  STRLEN: {
    args: [1, 1],
    plan: ([key], context) =>
      one({ kind: "head", key: keyOf(key as Buffer, context), reply: (info) => textIn(info)?.valueBytes ?? 0 }),
  },
  GETRANGE: {
    args: [3, 3],
    plan: ([key, start, end], context) => {
      const range = [integer(start as Buffer), integer(end as Buffer)] as const;
      return one({
        kind: "get",
        key: keyOf(key as Buffer, context),
        reply: (entry) => part(textIn(entry)?.value, ...range),
      });
    },
  },
  SET: { args: [2, Number.POSITIVE_INFINITY], plan: set },
  SETNX: {
    args: [2, 2],
    plan: (args, context) => put(args, "never", context, { ifNoneMatch: "*" }, (isDone) => (isDone ? 1 : 0)),
  },
  SETEX: { args: [3, 3], plan: (args, context) => setWithExpiry(args, "EX", context, "setex") },
  PSETEX: { args: [3, 3], plan: (args, context) => setWithExpiry(args, "PX", context, "psetex") },
  GETSET: {
    args: [2, 2],
    plan: ([key, value], context) => {
      const content = newContent(value as Buffer, context);
      const update = deciding(content.value.length, (found) => ({
        entry: { content, expiresAtMs: null },
        answer: valueIn(found?.content),
      }));
      return one(exchange(key, context, update));
    },
  },
  GETDEL: {
    args: [1, 1],
    plan: ([key], context) => {
      const update = deciding(0, (found) => ({ entry: null, answer: valueIn(found?.content) }));
      return one(exchange(key, context, update));
    },
  },
  GETEX: { args: [1, Number.POSITIVE_INFINITY], plan: getEx },
  APPEND: {
    args: [2, 2],
    plan: ([key, value], context) => {
      const more = requireFit(value as Buffer, context);
      return changed(key as Buffer, more.length, context, (before) => Buffer.concat([before, more]));
    },
  },
  SETRANGE: {
    args: [3, 3],
    plan: ([key, offset, value], context) => {
      const from = integer(offset as Buffer);
      const patch = value as Buffer;
      if (from < 0n) throw OUT_OF_RANGE;
      // What would be too large anyway takes no memory.
      const end = from + BigInt(patch.length);
      const bytes = end > BigInt(context.maxValueBytes) ? 0 : Number(end);
      return changed(key as Buffer, bytes, context, (before) => {
        if (patch.length === 0) return before;
        if (end > BigInt(context.maxValueBytes)) throw TOO_LARGE;
        const after = Buffer.alloc(Math.max(before.length, Number(end)));
        before.copy(after);
        patch.copy(after, Number(from));
        return after;
      });
    },
  },
};

function one(step: Step): Plan {
  return { steps: [step] };
}

function exchange(key: Buffer | undefined, context: Context, update: Update<Reply>): Step {
  return { kind: "update", key: keyOf(key as Buffer, context), update, answersValue: true };
}

function valueIn(entry: { value: Buffer; contentType: string } | null | undefined): Buffer | null {
  return textIn(entry)?.value ?? null;
}

/** A value that another has to have room for. */
function requireFit(value: Buffer, { maxValueBytes }: Context): Buffer {
  if (value.length > maxValueBytes) throw TOO_LARGE;
  return value;
}

export function newContent(value: Buffer, context: Context): Content {
  return { value: requireFit(value, context), contentType: DEFAULT_CONTENT_TYPE, metadata: null };
}

/** A value that another makes of it: what describes the value stays. */
export function contentAfter(found: EntryState | null, value: Buffer): Content {
  const { contentType = DEFAULT_CONTENT_TYPE, metadata = null } = found?.content ?? {};
  return { contentType, metadata, value };
}

/** Answers the new length; a value that is left as it is, is not written, nor made where there is none. */
function changed(key: Buffer, bytes: number, context: Context, change: (before: Buffer) => Buffer): Plan {
  const update = deciding(bytes, (found) => {
    const before = valueIn(found?.content) ?? Buffer.alloc(0);
    const after = requireFit(change(before), context);
    if (after === before) return { entry: found, answer: before.length };
    const expiresAtMs = found?.expiresAtMs ?? null;
    return { entry: { content: contentAfter(found, after), expiresAtMs }, answer: after.length };
  });
  return one({ kind: "update", key: keyOf(key, context), update });
}

function put(
  [key, value]: Bytes,
  expiry: NewExpiry,
  context: Context,
  condition: { ifMatch?: "*"; ifNoneMatch?: "*" },
  reply: (isDone: boolean) => Reply,
): Plan {
  const entry = { ...newContent(value as Buffer, context), expiry };
  return one({ kind: "put", key: keyOf(key as Buffer, context), entry, condition, reply });
}

function setWithExpiry([key, time, value]: Bytes, unit: Unit, context: Context, command: string): Plan {
  const expiry = positiveExpiry(time as Buffer, unit, command);
  return put([key as Buffer, value as Buffer], expiry, context, {}, () => OK);
}

interface Options {
  condition?: "NX" | "XX" | "IFEQ" | "IFNE";
  /** Of IFEQ and IFNE. */
  operand?: Buffer;
  /** PERSIST is GETEX's and KEEPTTL SET's. */
  expiry?: Unit | "KEEPTTL" | "PERSIST";
  time?: Buffer;
  get: boolean;
}

/** In any order and case. Of several that say the same the last counts, as with Redis. */
function optionsOf(args: Bytes, allowed: (option: string) => boolean): Options {
  const options: Options = { get: false };
  for (let i = 0; i < args.length; i++) {
    const option = word(args[i]);
    if (!allowed(option)) throw SYNTAX_ERROR;
    if (option === "GET") {
      options.get = true;
    } else if (option === "NX" || option === "XX" || option === "IFEQ" || option === "IFNE") {
      if (options.condition && options.condition !== option) throw SYNTAX_ERROR;
      options.condition = option;
      if (option === "IFEQ" || option === "IFNE") options.operand = next(args, ++i);
    } else if (option === "KEEPTTL" || option === "PERSIST" || isUnit(option)) {
      if (options.expiry && options.expiry !== option) throw SYNTAX_ERROR;
      options.expiry = option;
      if (isUnit(option)) options.time = next(args, ++i);
    }
  }
  return options;
}

function next(args: Bytes, i: number): Buffer {
  const argument = args[i];
  if (!argument) throw SYNTAX_ERROR;
  return argument;
}

const SET_OPTIONS = new Set(["GET", "NX", "XX", "IFEQ", "IFNE", "KEEPTTL", "EX", "PX", "EXAT", "PXAT"]);
const GETEX_OPTIONS = new Set(["PERSIST", "EX", "PX", "EXAT", "PXAT"]);

function set([key, value, ...args]: Buffer[], context: Context): Plan {
  const options = optionsOf(args, (option) => SET_OPTIONS.has(option));
  const { condition, get, expiry: unit, time } = options;
  const expiry =
    time && isUnit(unit ?? "") ? positiveExpiry(time, unit as Unit, "set") : unit === "KEEPTTL" ? "keep" : "never";
  if (get || options.operand) return setAndLook(key as Buffer, value as Buffer, expiry, options, context);
  const holds = {
    ...(condition === "NX" && { ifNoneMatch: "*" as const }),
    ...(condition === "XX" && { ifMatch: "*" as const }),
  };
  return put([key as Buffer, value as Buffer], expiry, context, holds, (isDone) => (isDone ? OK : null));
}

/** SET that has to see what was there. */
function setAndLook(key: Buffer, value: Buffer, expiry: NewExpiry, options: Options, context: Context): Plan {
  const content = newContent(value, context);
  const update = deciding(content.value.length, (found, { nowMs }) => {
    // Without GET, a hash is a value like any other that is not the one that is compared.
    const before = options.get ? valueIn(found?.content) : (found?.content?.value ?? null);
    if (!holds(options, before)) return { entry: found, answer: options.get ? before : null };
    const kept = found?.expiresAtMs ?? null;
    const expiresAtMs = expiry === "keep" ? kept : expiry === "never" ? null : instantOf(expiry, nowMs);
    return { entry: { content, expiresAtMs }, answer: options.get ? before : OK };
  });
  return one({ kind: "update", key: keyOf(key, context), update, answersValue: options.get });
}

function holds({ condition, operand }: Options, before: Buffer | null): boolean {
  if (condition === "NX") return before === null;
  if (condition === "XX") return before !== null;
  const isEqual = operand !== undefined && before?.equals(operand) === true;
  return condition === undefined || (condition === "IFEQ" ? isEqual : !isEqual);
}

function getEx([key, ...args]: Buffer[], context: Context): Plan {
  const { expiry: unit, time } = optionsOf(args, (option) => GETEX_OPTIONS.has(option));
  const id = keyOf(key as Buffer, context);
  if (!unit) return one({ kind: "get", key: id, reply: valueIn });
  // Of a key that is not there, Redis does not say that the time is wrong.
  const expiry = time && checked(() => positiveExpiry(time, unit as Unit, "getex"));
  const update = deciding(0, (found, { nowMs }) => {
    if (!found) return { entry: null, answer: null };
    const answer = valueIn(found.content);
    if (expiry instanceof RedisError) throw expiry;
    return { entry: { content: found.content, expiresAtMs: expiry ? instantOf(expiry, nowMs) : null }, answer };
  });
  return one(exchange(key, context, update));
}

function checked(expiry: () => ExpiryTime): ExpiryTime | RedisError {
  try {
    return expiry();
  } catch (error) {
    return error as RedisError;
  }
}

/** Both ends belong to it, and count from the end where they are negative. */
function part(value: Buffer | undefined, first: bigint, last: bigint): Buffer {
  const empty = Buffer.alloc(0);
  if (!value || value.length === 0 || (first < 0n && last < 0n && first > last)) return empty;
  const length = BigInt(value.length);
  const atLeast = (index: bigint) => (index < 0n ? (index + length < 0n ? 0n : index + length) : index);
  const end = atLeast(last) >= length ? length - 1n : atLeast(last);
  return atLeast(first) > end ? empty : value.subarray(Number(atLeast(first)), Number(end) + 1);
}
