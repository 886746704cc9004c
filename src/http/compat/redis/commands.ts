// All commands by their names, and what a text of words comes to.

import type { Context } from "./arguments.ts";
import type { Command } from "./command.ts";
import { COUNTERS } from "./counters.ts";
import { KEYS } from "./keys.ts";
import { RedisError } from "./reply.ts";
import type { Plan } from "./step.ts";
import { STRINGS } from "./strings.ts";
import { WALKS } from "./walks.ts";

const COMMANDS = new Map<string, Command>(Object.entries({ ...STRINGS, ...COUNTERS, ...KEYS, ...WALKS }));

/** Of a name in an error. */
const NAME_CHARACTERS = 128;
const EMPTY = new RedisError("ERR empty command");

/** Throws a RedisError for what is no command of ours, and for what is wrong with its arguments. */
export function planOf([name, ...args]: Buffer[], context: Context): Plan {
  if (!name) throw EMPTY;
  const text = name.toString("latin1");
  const command = COMMANDS.get(text.toUpperCase());
  // Redis goes on with the arguments, which are keys and values.
  if (!command) {
    throw new RedisError(`ERR unknown command '${text.slice(0, NAME_CHARACTERS)}', with args beginning with: `);
  }
  const [fewest, most] = command.args;
  if (args.length < fewest || args.length > most) {
    throw new RedisError(`ERR wrong number of arguments for '${text.toLowerCase()}' command`);
  }
  return command.plan(args, context);
}
