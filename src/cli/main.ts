// A command line from its words to how it ends.

import { stripVTControlCharacters } from "node:util";
import { renderUsage, runCommand } from "citty";
import { argumentsOf, COMMANDS, type Command, descriptionOf } from "./commands.ts";
import { completionOf } from "./completion.ts";
import { Ending, EXIT, endingOf, wrongUsage } from "./outcome.ts";
import { printLine } from "./output.ts";
import { stop } from "./stop.ts";

const commands: Record<string, Command> = { ...COMMANDS, completion: completionOf(COMMANDS) };

const HELP = /^(--help|-h|help)$/;
const isHelp = (word: string) => word === "--help" || word === "-h";

/** Throws only at a fault of this program. */
export async function run([name = "", ...rawArgs]: string[]): Promise<Ending> {
  try {
    const command = commands[name];
    // What follows `--` is never an option.
    const options = rawArgs.slice(0, rawArgs.includes("--") ? rawArgs.indexOf("--") : undefined);
    const helped = HELP.test(name) ? commands[rawArgs[0] ?? ""] : options.some(isHelp) && command;
    if (helped) await printLine(await usageOf(helped));
    else if (HELP.test(name)) await printLine(overview());
    else if (!command) throw wrongUsage(name === "" ? overview() : `There is no such command.\n\n${overview()}`);
    else await runCommand(withChecks(command), { rawArgs });
    return new Ending(EXIT.done);
  } catch (error) {
    const ending = endingOf(error, stop.aborted);
    if (!ending) throw error;
    return ending;
  }
}

/** In colours only for a terminal. */
async function usageOf(command: Command): Promise<string> {
  const usage = await renderUsage(command);
  return process.stdout.isTTY ? usage : stripVTControlCharacters(usage);
}

/** Refuses what citty ignores: an option that there is not, and words too many. */
function withChecks(command: Command): Command {
  const defined = argumentsOf(command);
  return {
    ...command,
    run(context) {
      const { args } = context;
      const known = new Set(["_", ...defined.flatMap(([name]) => [name, camelCase(name)])]);
      const unknown = Object.keys(args).find((name) => !known.has(name));
      if (unknown !== undefined) {
        throw wrongUsage(
          `There is no option '${unknown}'. --help lists them; a word that begins with '-' goes after '--'.`,
        );
      }
      const words = defined.filter(([, { type }]) => type === "positional").length;
      const empty = defined.find(([name, { type }]) => type === "string" && args[name] === "");
      if (empty) throw wrongUsage(`--${empty[0]} needs a value.`);
      if (args._.length > words) throw wrongUsage("There are words too many: put quotes around a value with spaces.");
      return command.run?.(context);
    },
  };
}

/** By which citty gives a dashed option as well. */
function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map(({ length }) => length));
  const lines = Object.entries(commands).map(([name, each]) => `  ${name.padEnd(width)}  ${descriptionOf(each)}`);
  return `kv COMMAND …, with KV_URL and KV_TOKEN in the environment\n\n${lines.join("\n")}\n\nkv COMMAND --help tells more.`;
}
