// `kv incr`: counters.

import { defineCommand } from "citty";
import { expiryArguments, expiryOf, integer } from "./options.ts";
import { printJson, printLine } from "./output.ts";
import { stop } from "./stop.ts";
import { keyArguments, keyTarget } from "./target.ts";

const bound = (description: string) => ({ type: "string", description, valueHint: "integer" }) as const;

export const incr = defineCommand({
  meta: { name: "kv incr", description: "Add to a counter, and print what it is then" },
  args: {
    ...keyArguments,
    by: bound("How much; 1 unless given, and --by=-1 counts down"),
    initial: bound("What to count from where there is no such key; 0 unless given"),
    min: bound("Refuse to go below"),
    max: bound("Refuse to go above"),
    ...expiryArguments,
    renew: { type: "boolean", description: "Renew the expiry each time, not only for a new counter" },
  },
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    const { value, etag, ttlMs, expiresAt } = await kv.increment(key, {
      ...{ by: integer("--by", args.by), initial: integer("--initial", args.initial) },
      ...{ min: integer("--min", args.min), max: integer("--max", args.max) },
      ...{ ...expiryOf(args), ...(args.renew && { ttlMode: "always" }), signal: stop },
    });
    if (!args.json) return printLine(String(value));
    await printJson({ value: String(value), etag, ttl_ms: ttlMs, expires_at: expiresAt?.toISOString() ?? null });
  },
});
