// Commands on a whole namespace, which is walked shard by shard, and commands on no key at all.

import { LIST_ENTRIES } from "../../../limits.ts";
import { behindPrefix, type ListedEntry, type ListQuery } from "../../../store/store.ts";
import { cursorOf, restOf } from "../../cursor.ts";
import { type Context, integer, word } from "./arguments.ts";
import type { Command } from "./command.ts";
import { literalPrefix, matchesGlob } from "./glob.ts";
import { RedisError, type Reply, Status, SYNTAX_ERROR } from "./reply.ts";
import type { Plan } from "./step.ts";
import { isHash } from "./values.ts";

const DEFAULT_COUNT = 10n;
/** Pages that DBSIZE reads at most; a larger namespace is not counted. */
const COUNTED_PAGES = 100;
const INVALID_CURSOR = new RedisError("ERR invalid cursor");
const NOT_COUNTED = new RedisError(`ERR DBSIZE counts up to ${COUNTED_PAGES * LIST_ENTRIES} keys`);
const WRONG_PING = new RedisError("ERR wrong number of arguments for 'ping' command");
const START = "0";

export const WALKS: Record<string, Command> = {
  SCAN: { args: [1, Number.POSITIVE_INFINITY], plan: scan },
  DBSIZE: { args: [0, 0], plan: size },
  PING: {
    args: [0, Number.POSITIVE_INFINITY],
    plan: ([text, ...more]) => {
      if (more.length > 0) throw WRONG_PING;
      return { reply: text ?? new Status("PONG") };
    },
  },
  ECHO: { args: [1, 1], plan: ([text]) => ({ reply: text as Buffer }) },
  TIME: { args: [0, 0], plan: () => ({ reply: timeOf(Date.now()) }) },
};

function timeOf(ms: number): Reply {
  return [Buffer.from(String(Math.floor(ms / 1000))), Buffer.from(String((ms % 1000) * 1000))];
}

/** All keys of a namespace that begin so. */
function queryOf(namespace: string, prefix: Buffer): ListQuery {
  const start = Buffer.concat([Buffer.from(`${namespace}/`), prefix]);
  return { start, end: behindPrefix(start), order: "any", reverse: false, limit: LIST_ENTRIES };
}

function keyIn({ key }: ListedEntry, namespace: string): Buffer {
  return key.subarray(namespace.length + 1);
}

/** A page of the walk is looked through for what matches: it may be short, or empty, before the end. */
function scan([from, ...args]: Buffer[], { namespace }: Context): Plan {
  let count = DEFAULT_COUNT;
  let pattern = Buffer.from("*");
  let type: string | undefined;
  for (let i = 0; i < args.length; i += 2) {
    const [option, argument] = [word(args[i]), args[i + 1]];
    if (!argument) throw SYNTAX_ERROR;
    if (option === "COUNT") count = integer(argument);
    else if (option === "MATCH") pattern = argument as Buffer<ArrayBuffer>;
    else if (option === "TYPE") type = word(argument);
    else throw SYNTAX_ERROR;
    if (count < 1n) throw SYNTAX_ERROR;
  }
  const query = { redis: namespace };
  const cursor = (from as Buffer).toString("latin1");
  const rest = cursor === START ? undefined : decoded(() => restOf(query, cursor));
  const limit = count > BigInt(LIST_ENTRIES) ? LIST_ENTRIES : Number(count);
  return {
    walk: async (store, caller) => {
      const page = await store
        .list({ ...queryOf(namespace, literalPrefix(pattern)), limit, rest }, caller)
        .catch((error) => {
          if (error instanceof RangeError) throw INVALID_CURSOR;
          throw error;
        });
      const keys = page.entries
        .filter((entry) => type === undefined || type === (isHash(entry) ? "HASH" : "STRING"))
        .map((entry) => keyIn(entry, namespace))
        .filter((key) => matchesGlob(pattern, key));
      return [Buffer.from(page.rest ? cursorOf(query, page.rest) : START), keys];
    },
  };
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw INVALID_CURSOR;
  }
}

function size(_: Buffer[], { namespace }: Context): Plan {
  return {
    walk: async (store, caller) => {
      let keys = 0;
      let rest: ListQuery["rest"];
      for (let pages = 0; pages < COUNTED_PAGES; pages++) {
        const page = await store.list({ ...queryOf(namespace, Buffer.alloc(0)), rest }, caller);
        keys += page.entries.length;
        if (!page.rest) return keys;
        rest = page.rest;
      }
      return NOT_COUNTED;
    },
  };
}
