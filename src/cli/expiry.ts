// `kv ttl`, `kv expire` and `kv persist`: when a key expires.

import { defineCommand } from "citty";
import type { Ttl } from "../client/index.ts";
import { consistency, etag, eventualArgument, expiryArguments, expiryOf, ifMatchArgument } from "./options.ts";
import { absent, absentOrUnmet, wrongUsage } from "./outcome.ts";
import { printJson, printLine } from "./output.ts";
import { stop } from "./stop.ts";
import { keyArguments, keyTarget } from "./target.ts";

const CONDITIONS = ["nx", "xx", "gt", "lt"] as const;

export const ttl = defineCommand({
  meta: { name: "kv ttl", description: "Print how many seconds a key has left, or 'never'" },
  args: { ...keyArguments, ...eventualArgument },
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    const left = await kv.ttl(key, { consistency: consistency(args), signal: stop });
    if (!left) throw absent();
    await printTtl(left, args.json);
  },
});

export const expire = defineCommand({
  meta: { name: "kv expire", description: "Set when a key expires, and print that as 'kv ttl' does" },
  args: {
    ...keyArguments,
    seconds: { type: "positional", description: "The same as --ttl", required: false },
    ...expiryArguments,
    if: {
      type: "enum",
      description: "As Redis's EXPIRE: none is set, one is set, only later, only earlier",
      options: [...CONDITIONS],
    },
    ...ifMatchArgument,
  },
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    if (args.ttl !== undefined && args.seconds !== undefined) throw wrongUsage("Give the seconds once.");
    const expiry = expiryOf({ ...args, ttl: args.ttl ?? args.seconds });
    if (Object.values(expiry).every((given) => given === undefined)) throw wrongUsage("Say when it expires.");
    const condition = { if: args.if, ifMatch: etag(args["if-match"]) };
    const left = await kv.expire(key, { ...expiry, ...condition, signal: stop });
    if (!left) throw condition.if || condition.ifMatch ? absentOrUnmet() : absent();
    await printTtl(left, args.json);
  },
});

export const persist = defineCommand({
  meta: { name: "kv persist", description: "Let a key stay until it is deleted" },
  args: keyArguments,
  async run({ args }) {
    const { kv, key } = keyTarget(args);
    if (!(await kv.persist(key, { signal: stop }))) throw absent();
  },
});

function printTtl({ ttlMs, expiresAt }: Ttl, isJson: boolean | undefined): Promise<void> {
  if (isJson) return printJson({ ttl_ms: ttlMs, expires_at: expiresAt?.toISOString() ?? null });
  return printLine(ttlMs === null ? "never" : (ttlMs / 1000).toFixed(3));
}
