// What a command is about: the store, a namespace and a key, as the command line and the environment name them.

import { type Client, type ClientOptions, createClient, type Key } from "../client/index.ts";
import { wrongUsage } from "./outcome.ts";

const DEFAULT_URL = "http://127.0.0.1:8787";

/** Empty counts as not set, as compose files leave it. */
export function storeUrl(given?: string): string {
  const url = given || process.env.KV_URL || DEFAULT_URL;
  if (!/^https?:/i.test(url) || !URL.canParse(url)) {
    throw wrongUsage(`${given ? "--url" : "KV_URL"} is a URL like ${DEFAULT_URL}.`);
  }
  return url;
}

/** Never a part of what is printed. */
export function token(): string | undefined {
  const given = process.env.KV_TOKEN || undefined;
  if (given && !/^[!-~]+$/.test(given)) throw wrongUsage("KV_TOKEN is no token: it holds white space or the like.");
  return given;
}

/** Arguments of every command that calls the store. */
export const storeArguments = {
  url: { type: "string", description: `The store (KV_URL, or ${DEFAULT_URL})`, valueHint: "url" },
} as const;

/** Of a command about one key. */
export const keyArguments = {
  key: {
    type: "positional",
    description: "NAMESPACE/KEY; the key may hold slashes",
    valueHint: "ns/key",
    required: true,
  },
  base64: { type: "boolean", description: "The key is in base64" },
  json: { type: "boolean", description: "Print JSON" },
  ...storeArguments,
} as const;

/** Of a command about many. */
export const prefixArguments = {
  prefix: { type: "positional", description: "NAMESPACE, or NAMESPACE/PREFIX", valueHint: "ns/prefix", required: true },
  base64: { type: "boolean", description: "The prefix is in base64" },
  ...storeArguments,
} as const;

/** For commands about many keys: whoever runs one would rather wait than begin again. */
export const PATIENT: Partial<ClientOptions> = { retries: 10, timeoutMs: 120_000 };

export interface Target {
  kv: Client;
  namespace: string;
  key: Key;
}

/** Splits at the first slash, for a namespace has none. */
export function targetOf(
  name: string,
  { base64, url }: { base64?: boolean; url?: string },
  options: Partial<ClientOptions> = {},
): Target {
  const slash = name.indexOf("/");
  const namespace = slash === -1 ? name : name.slice(0, slash);
  const key = slash === -1 ? "" : name.slice(slash + 1);
  const kv = createClient({ url: storeUrl(url), namespace, token: token(), ...options });
  return { kv, namespace, key: base64 ? fromBase64(key) : key };
}

export function keyTarget(args: { key: string; base64?: boolean; url?: string }): Target {
  if (!/.\/./s.test(args.key)) throw wrongUsage("Name a key as NAMESPACE/KEY.");
  return targetOf(args.key, args);
}

function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64").replaceAll("=", "") !== text.replaceAll("=", ""))
    throw wrongUsage("That is not base64.");
  return bytes;
}
