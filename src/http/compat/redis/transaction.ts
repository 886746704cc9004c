// Transactions: commands that happen together, each with a reply of its own.

import type { Context } from "./arguments.ts";
import { planOf } from "./commands.ts";
import { type Program, requireHeld } from "./program.ts";
import { NoCommand, RedisError, type Reply } from "./reply.ts";
import { answered, type Plan } from "./step.ts";

const ABORTED = new RedisError("EXECABORT Transaction discarded because of previous errors.");

export interface Transaction extends Program {
  /** Of the commands that can be done. */
  plans: Plan[];
}

/**
 * As Redis has it: a command that does not exist is found before, and nothing happens; any other that fails is answered
 * with its error, and the others happen. Throws a RedisError for the former.
 */
export function transactionOf(commands: Buffer[][], context: Context): Transaction {
  const planned = commands.map((words) => {
    try {
      return planOf(words, context);
    } catch (error) {
      if (error instanceof NoCommand || !(error instanceof RedisError)) throw ABORTED;
      return error;
    }
  });
  const plans = planned.filter((plan): plan is Plan => !(plan instanceof RedisError));
  return {
    plans,
    keys: requireHeld(
      plans.flatMap((plan) => ("steps" in plan ? plan.steps.map(({ key }) => key) : [])),
      context,
    ),
    bytes: commands.flat().reduce((sum, each) => sum + each.length, 0),
    run: (rows) =>
      planned.map((plan): Reply => (plan instanceof RedisError ? plan : answered(() => rows.perform(plan)))),
  };
}
