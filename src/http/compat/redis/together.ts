// Commands that set several keys together.

import type { Context } from "./arguments.ts";
import type { Command } from "./command.ts";
import { KEYS } from "./keys.ts";
import { execute, type Rows, requireHeld } from "./program.ts";
import { NoCommand, OK, type Reply } from "./reply.ts";
import type { Plan, Step } from "./step.ts";
import { STRINGS } from "./strings.ts";

const MOST = Number.POSITIVE_INFINITY;

export const TOGETHER: Record<string, Command> = {
  MSET: { args: [2, MOST], plan: (args, context) => together("mset", args, context, () => true, OK) },
  MSETNX: {
    args: [2, MOST],
    plan: (args, context) => {
      const exists = (KEYS.EXISTS as Command).plan(
        args.filter((_, i) => i % 2 === 0),
        context,
      );
      return together("msetnx", args, context, (rows) => rows.perform(exists) === 0, 1);
    },
  },
};

/** Sets all keys if something holds, and answers so, or else 0. */
function together(name: string, args: Buffer[], context: Context, holds: (rows: Rows) => boolean, reply: Reply): Plan {
  if (args.length % 2 === 1) throw new NoCommand(`ERR wrong number of arguments for '${name}' command`);
  const sets = Array.from({ length: args.length / 2 }, (_, i) => {
    return (STRINGS.SET as Command).plan(args.slice(2 * i, 2 * i + 2), context) as { steps: [Step] };
  });
  const keys = requireHeld(
    sets.map(({ steps: [{ key }] }) => key),
    context,
  );
  const run = (rows: Rows) => {
    if (!holds(rows)) return 0;
    for (const set of sets) rows.perform(set);
    return reply;
  };
  const bytes = args.reduce((sum, each) => sum + each.length, 0);
  return { keys, exclusive: (store, caller) => execute(store, { keys, bytes, run }, caller) };
}
