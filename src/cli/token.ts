// `npm run token`: makes a bearer token, and the entry by which servers know it.

import { defineCommand, runMain } from "citty";
import { newToken, RIGHTS } from "../auth/tokens.ts";
import { NAMESPACE_PATTERN } from "../limits.ts";

const main = defineCommand({
  meta: {
    name: "token",
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
  run: ({ args }) => {
    const { namespaces } = args;
    const rights = RIGHTS.filter((right) => args[right]);
    if (rights.length === 0) fail("Give --read, --write or both.");
    if (namespaces !== "*" && !namespaces.split(",").every((name) => NAMESPACE_PATTERN.test(name))) {
      fail("--namespaces takes * or names with commas between them, of letters, digits, '_' and '-'.");
    }
    const { token, entry } = newToken(rights, namespaces);
    // What is for people only is kept off standard output, whose two lines a program may read.
    console.error("The token, which is shown only now and kept nowhere:");
    console.log(token);
    console.error("Its entry, for the servers:");
    console.log(entry);
  },
});

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

await runMain(main);
