// A command: how many arguments it takes, and what it comes to with them.

import type { Caller, Store } from "../../../store/store.ts";
import type { Context } from "./arguments.ts";
import type { Plan } from "./step.ts";

export interface Command {
  /** Fewest and most arguments, without its name. */
  args: [number, number];
  /** What has to be looked up before it can be planned. */
  prepare?: (args: Buffer[], store: Store, caller: Caller) => Promise<void>;
  /** Throws a RedisError for what is wrong with the arguments, before anything is done. */
  plan: (args: Buffer[], context: Context) => Plan;
}
