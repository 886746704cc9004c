// `kv export`: entries as lines of JSON, with a cursor after each page from which a later run goes on.

import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { defineCommand } from "citty";
import type { Client, Key } from "../client/index.ts";
import { contentDocument } from "./entry-document.ts";
import { cursorOf, linesOf } from "./lines.ts";
import { consistency, eventualArgument } from "./options.ts";
import { wrongUsage } from "./outcome.ts";
import { counted, print, tell } from "./output.ts";
import { startProgress } from "./progress.ts";
import { stop } from "./stop.ts";
import { PATIENT, prefixArguments, targetOf } from "./target.ts";

const PAGE_ENTRIES = 1_000;

export const exportCommand = defineCommand({
  meta: { name: "kv export", description: "Write entries with their values as lines of JSON, for 'kv import'" },
  args: {
    ...prefixArguments,
    resume: { type: "string", description: "Write to this file, going on after what is in it", valueHint: "file" },
    cursor: { type: "string", description: "Go on after this cursor of an earlier export" },
    ...eventualArgument,
  },
  async run({ args }) {
    if (args.resume !== undefined && args.cursor !== undefined) throw wrongUsage("Give --resume or --cursor.");
    const { kv, key: prefix } = targetOf(args.prefix, args, PATIENT);
    const file = args.resume === undefined ? undefined : await open(args.resume, "a+");
    try {
      const earlier = file ? await goOn(file) : args.cursor;
      if (earlier === null) return tell("That export is complete.");
      const output = file
        ? { write: (text: string) => file.appendFile(text), again: () => "run the same command again" }
        : { write: print, again: goOnFrom };
      const entries = await writeAll(kv, prefix, earlier, consistency(args), output);
      await file?.sync();
      tell(`Exported ${counted(entries, "entry", "entries")}.`);
    } finally {
      await file?.close();
    }
  },
});

async function writeAll(
  kv: Client,
  prefix: Key,
  earlier: string | undefined,
  readFrom: "eventual" | undefined,
  output: { write: (text: string) => Promise<void>; again: (cursor: string) => string },
): Promise<number> {
  const progress = startProgress("exported");
  const ended = new AbortController();
  if (process.stderr.isTTY && earlier === undefined) count(kv, prefix, ended.signal, progress.expect);
  const query = {
    prefix: prefix.length ? prefix : undefined,
    order: "any" as const,
    consistency: readFrom,
    signal: stop,
  };
  const pages = kv.pages({ ...query, pageSize: PAGE_ENTRIES, include: ["metadata", "value"], cursor: earlier });
  let entries = 0;
  let cursor = earlier;
  try {
    // The next page is on its way while one is written.
    for (let coming = pages.next(); ; ) {
      const { value: page } = await coming;
      if (!page) return entries;
      coming = pages.next();
      // Awaited only later, and by then it may have failed.
      coming.catch(() => {});
      const lines = [...page.entries.map(contentDocument), { cursor: page.cursor }];
      const text = lines.map((document) => `${JSON.stringify(document)}\n`).join("");
      await output.write(text);
      entries += page.entries.length;
      cursor = page.cursor ?? undefined;
      progress.add(page.entries.length, text.length);
    }
  } catch (error) {
    progress.end();
    tell(
      `Exported ${counted(entries, "entry", "entries")} so far; ${cursor === undefined ? "run it again" : output.again(cursor)}.`,
    );
    throw error;
  } finally {
    progress.end();
    ended.abort();
  }
}

/** What was written to a pipe need not have arrived: whoever read it knows. */
function goOnFrom(cursor: string): string {
  const isPipe = !fstatSync(process.stdout.fd).isFile() && !process.stdout.isTTY;
  return isPipe
    ? `go on where 'kv import' says, or with --cursor ${cursor} if all has arrived`
    : `go on with --cursor ${cursor}, or with --resume and the file`;
}

/** Counts beside the export, for the time that remains; keys only, so that it is soon ahead. */
async function count(kv: Client, prefix: Key, signal: AbortSignal, tellTotal: (total: { entries: number }) => void) {
  try {
    let entries = 0;
    const query = { prefix: prefix.length ? prefix : undefined, order: "any" as const, pageSize: PAGE_ENTRIES, signal };
    for await (const page of kv.pages(query)) entries += page.entries.length;
    tellTotal({ entries });
  } catch {
    // Then the export does without.
  }
}

/**
 * The cursor of the last page that is whole in a file, behind which the file is cut off; undefined where there is none,
 * null where the export is complete.
 */
async function goOn(file: FileHandle): Promise<string | null | undefined> {
  let cursor: string | null | undefined;
  let length = 0;
  for await (const { bytes, end, isWhole } of linesOf(file.createReadStream({ start: 0, autoClose: false }))) {
    // An entry's line begins with its key.
    if (!isWhole || !bytes.subarray(0, 9).equals(Buffer.from('{"cursor"'))) continue;
    cursor = cursorOf(JSON.parse(bytes.toString()));
    length = end;
  }
  await file.truncate(length);
  return cursor;
}
