// `kv import`: lines of JSON as entries. Each line sets one key, so it can be run again, and it says where it stopped.

import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { defineCommand } from "citty";
import { type Client, KVError } from "../client/index.ts";
import { type ImportedEntry, importedEntry } from "./import-entry.ts";
import { cursorOf, type Line, linesOf } from "./lines.ts";
import { wholeNumber } from "./options.ts";
import { Ending, EXIT, wrongUsage } from "./outcome.ts";
import { counted, input, printJson, tell } from "./output.ts";
import { type Progress, startProgress } from "./progress.ts";
import { stop } from "./stop.ts";
import { PATIENT, storeArguments, targetOf } from "./target.ts";

/** What travels in one request, and how many requests at once. */
const GROUP_LINES = 500;
const GROUP_BYTES = 2 * 1024 * 1024;
const GROUPS_AT_ONCE = 4;
/** Of one entry whose outcome is unknown: setting it again does no harm. */
const REPEATS = 5;
const REPEAT_MS = 500;

export const importCommand = defineCommand({
  meta: { name: "kv import", description: "Set the keys that an export names" },
  args: {
    namespace: { type: "positional", description: "NAMESPACE", valueHint: "ns", required: true },
    file: { type: "positional", description: "The export; standard input unless given", required: false },
    "keep-existing": { type: "boolean", description: "Leave keys alone that are there" },
    "from-line": { type: "string", description: "Go on at this line", valueHint: "line" },
    json: { type: "boolean", description: "Print what was done as JSON" },
    ...storeArguments,
  },
  async run({ args }) {
    if (args.namespace.includes("/")) throw wrongUsage("The keys are in the export: name a namespace alone.");
    const { kv } = targetOf(args.namespace, args, PATIENT);
    const fromLine = wholeNumber("--from-line", args["from-line"]) ?? 1;
    const file = args.file === undefined ? undefined : await open(args.file);
    const progress = startProgress("imported");
    if (file) progress.expect({ bytes: (await file.stat()).size });
    const run = new Import(kv, args["keep-existing"] ?? false, progress);
    try {
      await run.all(linesOf(file?.createReadStream({ autoClose: false }) ?? input()), fromLine);
    } finally {
      progress.end();
      await file?.close();
      await run.report(args.json);
    }
    if (run.isCutOff) throw wrongUsage("The export was cut off: what it holds is imported, but more was to come.");
  },
});

class Import {
  private imported = 0;
  private kept = 0;
  /** The first line that may not be imported, once something has failed. */
  private failedLine: number | undefined;
  private failure: unknown;
  /** The latest of the export that was read, null at its end; and of those before it as many as may still be asked for. */
  private readonly cursors: { cursor: string | null; line: number }[] = [];
  private endsWithin = false;
  /** With the first line of each. */
  private readonly underWay = new Map<Promise<void>, number>();

  constructor(
    private readonly kv: Client,
    private readonly keepsExisting: boolean,
    private readonly progress: Progress,
  ) {}

  get isCutOff(): boolean {
    return this.endsWithin || typeof this.cursors.at(-1)?.cursor === "string";
  }

  /** Throws the failure that came first in the order of lines, after everything that was begun has ended. */
  async all(lines: AsyncIterable<Line>, fromLine: number): Promise<void> {
    let group: { entry: ImportedEntry; line: number }[] = [];
    let bytes = 0;
    let begun = 1;
    try {
      for await (const { bytes: text, number, isWhole } of lines) {
        if (stop.aborted || this.failure) break;
        begun = number;
        const document = parse(text, number, isWhole);
        if (document === undefined) {
          this.endsWithin = true;
          break;
        }
        const cursor = cursorOf(document);
        if (cursor !== undefined) this.pass(cursor, number, group[0]?.line ?? number);
        bytes += text.length + 1;
        if (cursor === undefined && number >= fromLine)
          group.push({ entry: importedEntry(document, number), line: number });
        if (group.length === GROUP_LINES || bytes >= GROUP_BYTES) {
          await this.begin(group, bytes);
          group = [];
          bytes = 0;
        }
      }
      if (!stop.aborted && !this.failure) await this.begin(group, bytes);
    } catch (error) {
      // What was read before the line that is wrong is right.
      await this.begin(group, bytes);
      this.fail(begun, error);
    }
    await Promise.all(this.underWay.keys());
    if (stop.aborted && !this.failure) this.fail(group[0]?.line ?? begun, stop.reason);
    if (this.failure) throw this.failure;
  }

  async report(isJson: boolean | undefined) {
    const { imported, kept, failedLine = Number.POSITIVE_INFINITY } = this;
    const cursor = this.cursors.findLast(({ line }) => line < failedLine)?.cursor ?? undefined;
    if (isJson) return printJson({ imported, kept, stopped_at_line: this.failedLine, cursor });
    tell(
      `Imported ${counted(imported, "entry", "entries")}${this.keepsExisting ? `; ${counted(kept, "was", "were")} there already` : ""}.`,
    );
    const ways = [
      ...(this.failedLine === undefined ? [] : [`'kv import --from-line ${failedLine}'`]),
      ...(cursor === undefined ? [] : [`'kv export --cursor ${cursor}'`]),
    ];
    if (ways.length > 0) tell(`Go on with ${ways.join(" or ")}: everything before that is imported.`);
  }

  /** `oldestLine` is that of the group that is read. */
  private pass(cursor: string | null, line: number, oldestLine: number) {
    this.cursors.push({ cursor, line });
    const oldest = Math.min(oldestLine, ...this.underWay.values());
    while (this.cursors[1] && this.cursors[1].line < oldest) this.cursors.shift();
  }

  private async begin(group: { entry: ImportedEntry; line: number }[], bytes: number) {
    // In one tick, so that the client sends them together.
    const work = Promise.all(group.map(({ entry, line }) => this.set(entry).catch((error) => this.fail(line, error))));
    const ended = work.then(() => {
      this.underWay.delete(ended);
      this.progress.add(group.length, bytes);
    });
    this.underWay.set(ended, group[0]?.line ?? Number.POSITIVE_INFINITY);
    if (this.underWay.size >= GROUPS_AT_ONCE) await Promise.race(this.underWay.keys());
  }

  private async set({ key, value, options }: ImportedEntry): Promise<void> {
    const condition = this.keepsExisting ? { ifNoneMatch: "*" } : {};
    for (let repeats = 0; ; repeats++) {
      try {
        const etag = await this.kv.put(key, value, { ...options, ...condition, signal: stop });
        if (etag === null) this.kept += 1;
        else this.imported += 1;
        return;
      } catch (error) {
        if (!(error instanceof KVError && error.outcomeUnknown) || repeats === REPEATS) throw error;
        await sleep(REPEAT_MS, undefined, { signal: stop });
      }
    }
  }

  private fail(line: number, error: unknown) {
    if (this.failedLine !== undefined && this.failedLine <= line) return;
    this.failedLine = line;
    const isWrong = error instanceof TypeError || (error instanceof KVError && error.status === 400);
    this.failure = isWrong ? atLine(line, error) : error;
  }
}

/** What the client or the store finds wrong with an entry. */
function atLine(line: number, { message }: Error): Ending {
  return new Ending(EXIT.usage, `Line ${line}: ${message}`);
}

/** Undefined for the rest of a line that was cut off. */
function parse(bytes: Buffer, number: number, isWhole: boolean): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    if (!isWhole) return undefined;
    throw wrongUsage(`Line ${number}: not JSON in UTF-8.`);
  }
}
