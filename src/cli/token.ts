// `kv token`: makes a bearer token, and the entry by which servers know it. It needs no server.

import { defineCommand } from "citty";
import { newToken, RIGHTS } from "../auth/tokens.ts";
import { NAMESPACE_PATTERN } from "../limits.ts";
import { wrongUsage } from "./outcome.ts";
import { printLine, tell } from "./output.ts";

export const token = defineCommand({
  meta: {
    name: "kv token",
    description: "Make a token. Prints it, and the entry for KV_TOKENS or the file that KV_TOKENS_FILE names",
  },
  args: {
    namespaces: {
      type: "string",
      description: "What it is for: names with commas between them, or *",
      required: true,
    },
    read: { type: "boolean", description: "Allow GET and HEAD" },
    write: { type: "boolean", description: "Allow PUT and DELETE" },
  },
  async run({ args }) {
    const { namespaces } = args;
    const rights = RIGHTS.filter((right) => args[right]);
    if (rights.length === 0) throw wrongUsage("Give --read, --write or both.");
    if (namespaces !== "*" && !namespaces.split(",").every((name) => NAMESPACE_PATTERN.test(name))) {
      throw wrongUsage("--namespaces takes * or names with commas between them, of letters, digits, '_' and '-'.");
    }
    const made = newToken(rights, namespaces);
    tell("The token, which is shown only now and kept nowhere:");
    await printLine(made.token);
    tell("Its entry, for the servers:");
    await printLine(made.entry);
  },
});
