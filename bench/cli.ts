// The benchmarks' command lines: options by citty, wrong ones refused in a sentence, and an end at Ctrl-C.

import { type ArgsDef, defineCommand, type ParsedArgs, runMain } from "citty";
import { ClusterProblem } from "../vitess/support/problem.ts";

/** A sentence for whoever runs it: what is asked for can't be done. */
export class Problem extends Error {}

type Option = { type: "string"; description: string; valueHint: string };

/** An option that takes a text. */
export function option(description: string, valueHint: string): Option;
export function option(description: string, valueHint: string, fallback: string | number): Option & { default: string };
export function option(description: string, valueHint: string, fallback?: string | number) {
  return { type: "string", description, valueHint, ...(fallback !== undefined && { default: String(fallback) }) };
}

/** An option's name on the command line. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Ends with the code that `run` returns, 0 without one, 2 where something can't be done, 1 at any other error. */
export function main<T extends ArgsDef>(
  meta: { name: string; description: string },
  args: T,
  run: (given: ParsedArgs<T>) => Promise<number | undefined> | number | undefined,
) {
  return runMain(
    defineCommand({
      meta,
      args,
      async run({ args: given }) {
        try {
          const known = new Set(["_", ...Object.keys(args)]);
          // citty gives a dashed option under its camel-case name as well.
          const unknown = Object.keys(given).find((name) => !known.has(name) && !known.has(dashed(name)));
          if (unknown !== undefined) throw new Problem(`There is no option '${unknown}'; --help lists them.`);
          process.exit((await run(given)) ?? 0);
        } catch (error) {
          const isProblem = error instanceof Problem || error instanceof ClusterProblem;
          console.error(isProblem ? error.message : error);
          process.exit(isProblem ? 2 : 1);
        }
      },
    }),
  );
}

/** Refuses what is no option, where a command takes nothing else. */
export function refuseOthers([first]: string[]) {
  if (first !== undefined) throw new Problem(`There is no option '${first}'; --help lists them.`);
}
