// `kv list`: the keys of a namespace.

import { defineCommand } from "citty";
import type { Key, ListEntry, Page } from "../client/index.ts";
import { entryDocument, textOrBase64 } from "./entry-document.ts";
import { consistency, eventualArgument, wholeNumber } from "./options.ts";
import { print } from "./output.ts";
import { stop } from "./stop.ts";
import { prefixArguments, targetOf } from "./target.ts";

const PAGE_ENTRIES = 1_000;
/** What would move the cursor of a terminal or change its colours; the rest of a line is printed as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

export const list = defineCommand({
  meta: { name: "kv list", description: "Print keys, one a line" },
  args: {
    ...prefixArguments,
    start: { type: "string", description: "The first key", valueHint: "key" },
    "start-after": { type: "string", description: "The key before the first", valueHint: "key" },
    end: { type: "string", description: "The key after the last", valueHint: "key" },
    reverse: { type: "boolean", description: "Backwards" },
    delimiter: { type: "string", description: "Print what is common up to it once", valueHint: "text" },
    limit: { type: "string", description: "At most so many", valueHint: "count" },
    "any-order": { type: "boolean", description: "One shard after the other, which costs the store less" },
    json: { type: "boolean", description: "Print what is known of each as a line of JSON, or {prefix}" },
    values: { type: "boolean", description: "With --json: values too" },
    null: { type: "boolean", description: "End each with a null byte, for xargs -0" },
    ...eventualArgument,
  },
  async run({ args }) {
    const { kv, key: prefix } = targetOf(args.prefix, args);
    const limit = wholeNumber("--limit", args.limit) ?? Number.POSITIVE_INFINITY;
    const pages = kv.pages({
      ...{ prefix: prefix.length ? prefix : undefined, start: args.start, startAfter: args["start-after"] },
      ...{ end: args.end, reverse: args.reverse, delimiter: args.delimiter, pageSize: Math.min(limit, PAGE_ENTRIES) },
      ...(args["any-order"] && { order: "any" }),
      ...(args.json && { include: args.values ? ["metadata", "value"] : ["metadata"] }),
      ...{ consistency: consistency(args), signal: stop },
    });
    const write = args.json ? jsonLine : args.null ? (item: Item) => line(item, "\0") : plainLine;
    let left = limit;
    while (left > 0) {
      const { value: page } = await pages.next();
      if (!page) break;
      const items = inOrder(page, args).slice(0, left);
      left -= items.length;
      await print(Buffer.concat(items.map(write)));
    }
  },
});

/** An entry, or a common prefix. */
interface Item {
  key: Key;
  entry?: ListEntry;
}

function inOrder({ entries, prefixes }: Page, { reverse }: { reverse?: boolean }): Item[] {
  const items = entries.map((entry): Item => ({ key: entry.key, entry }));
  if (prefixes.length === 0) return items;
  items.push(...prefixes.map((key) => ({ key })));
  items.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  return reverse ? items.reverse() : items;
}

const line = ({ key }: Item, end: string) => Buffer.concat([Buffer.from(key), Buffer.from(end)]);

function plainLine(item: Item): Buffer {
  if (!process.stdout.isTTY) return line(item, "\n");
  return Buffer.from(`${Buffer.from(item.key).toString().replace(CONTROL, "\uFFFD")}\n`);
}

function jsonLine({ key, entry }: Item): Buffer {
  return Buffer.from(`${JSON.stringify(entry ? entryDocument(entry) : textOrBase64("prefix", key))}\n`);
}
