// A command: how many arguments it takes, and what it comes to with them.

import type { Context } from "./arguments.ts";
import type { Plan } from "./step.ts";

export interface Command {
  /** Fewest and most arguments, without its name. */
  args: [number, number];
  /** Throws a RedisError for what is wrong with the arguments, before anything is done. */
  plan: (args: Buffer[], context: Context) => Plan;
}
