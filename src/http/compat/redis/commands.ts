// All commands by their names, and what a text of words comes to.

import type { Caller, Store } from "../../../store/store.ts";
import type { Context } from "./arguments.ts";
import type { Command } from "./command.ts";
import { COUNTERS } from "./counters.ts";
import { HASHES } from "./hashes.ts";
import { KEYS } from "./keys.ts";
import { NoCommand, RedisError } from "./reply.ts";
import type { Plan } from "./step.ts";
import { STRINGS } from "./strings.ts";
import { TOGETHER } from "./together.ts";
import { WALKS } from "./walks.ts";

type Commands = Map<string, Command>;

/** What scripts may call, as far as its plan has steps. */
const COMMANDS: Commands = new Map(
  Object.entries({ ...STRINGS, ...COUNTERS, ...KEYS, ...HASHES, ...TOGETHER, ...WALKS }),
);
/** With these, which need an interpreter that is loaded only where somebody asks for it. */
const SCRIPT_COMMANDS = new Set(["EVAL", "EVALSHA", "SCRIPT"]);
let withScripts: Commands | undefined;
let loading: Promise<Commands> | undefined;

/** Of a name in an error. */
const NAME_CHARACTERS = 128;
const EMPTY = new RedisError("ERR empty command");

/** Has what commands need before they can be planned, among them the interpreter of scripts. */
export async function prepare(commands: Buffer[][], store: Store, caller: Caller): Promise<void> {
  const scripted = commands.filter(([name]) => SCRIPT_COMMANDS.has(nameOf(name)));
  if (scripted.length === 0) return;
  // Once for all who ask at the same time.
  loading ??= loadScripts();
  const all = await loading;
  await Promise.all(scripted.map(([name, ...args]) => all.get(nameOf(name))?.prepare?.(args, store, caller)));
}

async function loadScripts(): Promise<Commands> {
  // Its parts need each other in circles, which only some of them may begin, as this one may, which brings the others. Bun
  // begins to run CommonJS modules that TypeScript imports in no order of theirs.
  await import("fengari/src/lua.js");
  const { scriptCommands } = await import("./eval.ts");
  const callable = (words: Buffer[], context: Context) => planIn(COMMANDS, words, context);
  withScripts = new Map([...COMMANDS, ...Object.entries(scriptCommands(callable))]);
  return withScripts;
}

/** Throws a RedisError for what is no command of ours, and for what is wrong with its arguments. */
export function planOf(words: Buffer[], context: Context): Plan {
  return planIn(withScripts ?? COMMANDS, words, context);
}

function planIn(commands: Commands, [name, ...args]: Buffer[], context: Context): Plan {
  if (!name) throw EMPTY;
  const text = name.toString("latin1");
  const command = commands.get(nameOf(name));
  // Redis goes on with the arguments, which are keys and values.
  if (!command) {
    throw new NoCommand(`ERR unknown command '${text.slice(0, NAME_CHARACTERS)}', with args beginning with: `);
  }
  const [fewest, most] = command.args;
  if (args.length < fewest || args.length > most) {
    throw new NoCommand(`ERR wrong number of arguments for '${text.toLowerCase()}' command`);
  }
  return command.plan(args, context);
}

function nameOf(name: Buffer | undefined): string {
  return name ? name.toString("latin1").toUpperCase() : "";
}
