// Every command by its name.

import type { ArgsDef, CommandDef } from "citty";
import { expire, persist, ttl } from "./expiry.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { incr } from "./increment.ts";
import { list } from "./list.ts";
import { token } from "./token.ts";
import { del, get, put } from "./values.ts";
import { watchStats } from "./watch-stats.ts";

// biome-ignore lint/suspicious/noExplicitAny: each has arguments of its own, as in citty's types.
export type Command = CommandDef<any>;

export const COMMANDS: Record<string, Command> = {
  ...{ get, put, delete: del, ttl, expire, persist, incr, list },
  ...{ export: exportCommand, import: importCommand, "watch-stats": watchStats, token },
};

/** What it is, as every definition here gives it at once. */
export const descriptionOf = ({ meta }: Command) => (meta as { description: string }).description;
export const argumentsOf = ({ args }: Command) => Object.entries((args ?? {}) as ArgsDef);
