// Commands that add to a number, which is made if it is not there.

import { incrementing } from "../../../store/counter.ts";
import type { CounterRefusal, Update } from "../../../store/store.ts";
import { type Context, integer, keyOf } from "./arguments.ts";
import type { Command } from "./command.ts";
import { LONG_DOUBLE_BYTES, parseLongDouble, sum, textOfLongDouble } from "./long-double.ts";
import { NOT_AN_INTEGER, RedisError, type Reply } from "./reply.ts";
import type { Plan } from "./step.ts";
import { contentAfter } from "./strings.ts";
import { deciding, textIn } from "./values.ts";

const OVERFLOW = new RedisError("ERR increment or decrement would overflow");
const NO_NEGATIVE = new RedisError("ERR decrement would overflow");
const NOT_A_FLOAT = new RedisError("ERR value is not a valid float");
const NOT_FINITE = new RedisError("ERR increment would produce NaN or Infinity");
const REFUSALS: Record<CounterRefusal, RedisError> = {
  ...{ not_a_number: NOT_AN_INTEGER, overflow: OVERFLOW, out_of_bounds: OVERFLOW },
};
const LEAST = -(2n ** 63n);

export const COUNTERS: Record<string, Command> = {
  INCR: { args: [1, 1], plan: ([key], context) => add(key, 1n, context) },
  DECR: { args: [1, 1], plan: ([key], context) => add(key, -1n, context) },
  INCRBY: { args: [2, 2], plan: ([key, by], context) => add(key, integer(by as Buffer), context) },
  DECRBY: {
    args: [2, 2],
    plan: ([key, by], context) => {
      const amount = integer(by as Buffer);
      if (amount === LEAST) throw NO_NEGATIVE;
      return add(key, -amount, context);
    },
  },
  INCRBYFLOAT: { args: [2, 2], plan: ([key, by], context) => addFloat(key as Buffer, by as Buffer, context) },
};

function add(key: Buffer | undefined, by: bigint, context: Context): Plan {
  const { apply, bytes, valueBytes } = incrementing({ by, initial: 0n });
  const decided: Update<Reply>["apply"] = (found, at) => {
    textIn(found?.content);
    const { entry, answer } = apply(found, at);
    return { entry, answer: answer.outcome === "set" ? answer.value : REFUSALS[answer.outcome] };
  };
  const update = deciding(bytes, decided, valueBytes);
  return { steps: [{ kind: "update", key: keyOf(key as Buffer, context), update }] };
}

function addFloat(key: Buffer, by: Buffer, context: Context): Plan {
  const amount = parseLongDouble(by);
  const apply: Update<Reply>["apply"] = (found) => {
    const before = parseLongDouble(textIn(found?.content)?.value ?? Buffer.from("0"));
    if (!before || !amount) throw NOT_A_FLOAT;
    const after = sum(before, amount);
    if (after === "infinite") throw NOT_FINITE;
    const value = Buffer.from(textOfLongDouble(after));
    return { entry: { content: contentAfter(found, value), expiresAtMs: found?.expiresAtMs ?? null }, answer: value };
  };
  const update = deciding(LONG_DOUBLE_BYTES, apply, LONG_DOUBLE_BYTES + 1);
  return { steps: [{ kind: "update", key: keyOf(key, context), update }] };
}
