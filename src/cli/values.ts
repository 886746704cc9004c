// `kv get`, `kv put` and `kv delete`: one key's value.

import { defineCommand } from "citty";
import { deletePrefix } from "./delete-prefix.ts";
import { entryDocument } from "./entry-document.ts";
import { consistency, etag, eventualArgument, expiryArguments, expiryOf, ifMatchArgument, json } from "./options.ts";
import { absent, unmet } from "./outcome.ts";
import { print, printJson, readInput } from "./output.ts";
import { stop } from "./stop.ts";
import { keyArguments, keyTarget } from "./target.ts";

export const get = defineCommand({
  meta: { name: "kv get", description: "Print a value, byte for byte" },
  args: { ...keyArguments, ...eventualArgument },
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    const entry = await kv.getWithInfo(key, { type: "bytes", consistency: consistency(args), signal: stop });
    if (!entry) throw absent();
    await (args.json ? printJson(entryDocument({ key, ...entry })) : print(entry.value));
  },
});

export const put = defineCommand({
  meta: { name: "kv put", description: "Set a value, which is VALUE or else all of standard input" },
  args: {
    ...keyArguments,
    value: { type: "positional", description: "The value as text", required: false },
    ...expiryArguments,
    "keep-ttl": { type: "boolean", description: "Keep the expiry that the key has" },
    ...ifMatchArgument,
    "if-none-match": { type: "string", description: "Unless the key has this ETag; * creates only", valueHint: "etag" },
    "content-type": { type: "string", description: "Kept with the value", valueHint: "type" },
    metadata: { type: "string", description: "Kept with the value, at most 1,024 bytes", valueHint: "json" },
  },
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    const options = {
      ...expiryOf(args),
      ...{ keepTtl: args["keep-ttl"], ifMatch: etag(args["if-match"]), ifNoneMatch: etag(args["if-none-match"]) },
      ...{ contentType: args["content-type"], metadata: json("--metadata", args.metadata), signal: stop },
    };
    const version = await kv.put(key, args.value ?? (await readInput()), options);
    if (version === null) throw unmet();
    if (args.json) await printJson({ etag: version });
  },
});

export const del = defineCommand({
  meta: { name: "kv delete", description: "Make sure that a key is not there, or with --prefix no key that begins so" },
  args: {
    ...keyArguments,
    ...ifMatchArgument,
    prefix: { type: "boolean", description: "Delete every key that begins so; NAMESPACE/ is all of them" },
    "dry-run": { type: "boolean", description: "With --prefix: count only" },
    cursor: { type: "string", description: "With --prefix: go on where another run ended" },
  },
  async run({ args }) {
    if (args.prefix) return deletePrefix(args);
    const { kv, key } = keyTarget(args);
    if (!(await kv.delete(key, { ifMatch: etag(args["if-match"]), signal: stop }))) throw unmet();
  },
});
