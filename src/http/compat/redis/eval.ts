// EVAL, EVALSHA and SCRIPT.

import type { Context } from "./arguments.ts";
import { integer, keyOf, word } from "./arguments.ts";
import type { Command } from "./command.ts";
import { execute, type Program, type Rows, requireHeld } from "./program.ts";
import { RedisError, type Reply } from "./reply.ts";
import { type Loaded, Scripts } from "./scripts.ts";
import type { Plan } from "./step.ts";

const MOST = Number.POSITIVE_INFINITY;
const NO_SCRIPT = new RedisError("NOSCRIPT No matching script. Please use EVAL.");
const NEGATIVE_KEYS = new RedisError("ERR Number of keys can't be negative");
const TOO_MANY_KEYS = new RedisError("ERR Number of keys can't be greater than number of args");

/** Does a command of a script. Throws a RedisError. */
export type PlanOf = (words: Buffer[], context: Context) => Plan;

const scripts = new Scripts();

/** Commands that need scripts; `planOf` gives those that scripts may call. */
export function scriptCommands(planOf: PlanOf): Record<string, Command> {
  const evaluate = (load: (script: Buffer) => Loaded, [script, count, ...rest]: Buffer[], context: Context): Plan => {
    const keys = integer(count as Buffer);
    if (keys < 0n) throw NEGATIVE_KEYS;
    if (keys > BigInt(rest.length)) throw TOO_MANY_KEYS;
    const program = programOf(load(script as Buffer), rest, Number(keys), context, planOf);
    return { keys: program.keys, exclusive: (store, caller) => execute(store, program, caller) };
  };
  return {
    EVAL: { args: [2, MOST], plan: (args, context) => evaluate((source) => scripts.load(source), args, context) },
    EVALSHA: {
      args: [2, MOST],
      prepare: async ([sha], store, caller) => {
        if (sha) await scripts.fetch(sha, store, caller);
      },
      plan: (args, context) => evaluate(known, args, context),
    },
    SCRIPT: { args: [1, MOST], plan: script },
  };
}

function known(sha: Buffer): Loaded {
  const loaded = scripts.find(sha);
  if (!loaded) throw NO_SCRIPT;
  return loaded;
}

function script([subcommand, ...args]: Buffer[]): Plan {
  const name = word(subcommand);
  if (name !== "LOAD" || args.length !== 1) {
    throw new RedisError("ERR unknown subcommand or wrong number of arguments. SCRIPT takes LOAD with a script.");
  }
  const [source] = args as [Buffer];
  scripts.load(source);
  return {
    keys: [],
    exclusive: async (store, caller) => Buffer.from(await scripts.keep(source, store, caller)),
  };
}

/** Clients give an empty key for one that they don't need, so only those count that can be keys. */
function programOf(
  { machine, script }: Loaded,
  rest: Buffer[],
  count: number,
  context: Context,
  planOf: PlanOf,
): Program {
  const [keys, args] = [rest.slice(0, count), rest.slice(count)];
  return {
    keys: requireHeld(
      keys.filter((key) => key.length > 0).map((key) => keyOf(key, context)),
      context,
    ),
    bytes: args.reduce((sum, each) => sum + each.length, 0),
    run: (rows) => machine.run(script, keys, args, (words) => perform(words, rows, context, planOf)),
  };
}

function perform(words: Buffer[], rows: Rows, context: Context, planOf: PlanOf): Reply {
  try {
    return rows.perform(planOf(words, context));
  } catch (error) {
    if (error instanceof RedisError) return error;
    throw error;
  }
}
