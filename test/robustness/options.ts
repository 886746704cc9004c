// The command line of `npm run robustness`.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ClusterProblem } from "../../vitess/support/problem.ts";
import { FAULTS } from "./faults/index.ts";
import { LOAD } from "./faults/load.ts";
import { operations } from "./faults/operate.ts";
import { MUTANTS } from "./mutants.ts";

export type Options = ReturnType<typeof readOptions>;

/** Throws a `ClusterProblem` that says what is wrong. */
export function readOptions(args: string[]) {
  const values = parse(args);
  const whole = (name: "seed" | "seconds" | "port-base" | "operate") => {
    const text = values[name] ?? "0";
    if (!/^\d{1,6}$/.test(text)) throw new ClusterProblem(`--${name} takes a whole number, not '${text}'.`);
    return Number(text);
  };
  const mutant = values.mutant === undefined ? undefined : named("mutant", MUTANTS, values.mutant);
  const operate = values.operate === undefined ? undefined : operations(whole("operate"), values.later);
  const known = operate ?? [...FAULTS, LOAD];
  const names = values.fault?.split(",").map((name) => named("fault", known, name).name);
  const faults = operate
    ? operate.filter(({ name }) => names?.includes(name) ?? true)
    : names?.map((name) => named("fault", known, name));
  return {
    mutant,
    /** Whether an operator works on it, and nothing goes wrong. */
    operates: operate !== undefined,
    /** Whether Vitess's collector of dropped tables has something to do, as an hour after a change of the schema. */
    later: values.later,
    /** Whether the store is not broken after all. */
    healthy: values.healthy,
    faults: faults ?? (mutant ? [mutant.fault] : FAULTS),
    seed: whole("seed"),
    /** Of calls before a fault; half as long after it. */
    seconds: whole("seconds"),
    dataDir: resolve(values.data),
    portBase: whole("port-base"),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        seed: { type: "string", default: String(1 + (Date.now() % 1_000_000)) },
        fault: { type: "string" },
        mutant: { type: "string" },
        operate: { type: "string" },
        later: { type: "boolean", default: false },
        healthy: { type: "boolean", default: false },
        seconds: { type: "string", default: "6" },
        data: { type: "string", default: join(tmpdir(), `vitess-kv-robustness-${process.getuid?.() ?? 0}`) },
        "port-base": { type: "string", default: "21000" },
      },
    }).values;
  } catch (error) {
    throw new ClusterProblem((error as Error).message);
  }
}

function named<T extends { name: string }>(kind: string, all: T[], name: string): T {
  const found = all.find((each) => each.name === name);
  if (found) return found;
  const names = [...new Set(all.map((each) => each.name))].join(", ");
  throw new ClusterProblem(`There is no ${kind} ${name}, only ${names}.`);
}
