// Standard output as bytes, one write after the other: a slow reader slows the command down, and one that has gone ends it.

import { addAbortSignal } from "node:stream";
import { EXIT, wrongUsage } from "./outcome.ts";
import { stop } from "./stop.ts";

/** Ends the process quietly once nobody reads its output, as in `kv list ns | head -1`. */
export function endWithoutReader() {
  process.stdout.on("error", endAtBrokenPipe);
  process.stderr.on("error", () => {});
}

function endAtBrokenPipe({ code }: NodeJS.ErrnoException) {
  if (code === "EPIPE") process.exit(EXIT.done);
}

/** Resolves once it is written, so that a process may end. Throws an Ending where it can't be, as on a full disk. */
export function print(content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (error?: NodeJS.ErrnoException | null) => {
      if (!error) return resolve();
      endAtBrokenPipe(error);
      reject(wrongUsage(`The output can't be written: ${error.code}.`));
    });
  });
}

export const printLine = (line: string) => print(`${line}\n`);
export const printJson = (document: unknown) => printLine(JSON.stringify(document));

/** For people: never on standard output, whose lines a program may read. */
export function tell(sentence: string) {
  process.stderr.write(`${sentence}\n`);
}

/** A number with what it counts, in English. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Standard input; a signal ends the wait for more of it. */
export function input(): AsyncIterable<Uint8Array> {
  if (process.stdin.isTTY) tell("Reading from this terminal; Ctrl-D ends the input.");
  return addAbortSignal(stop, process.stdin);
}

/** All of it. */
export async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input()) chunks.push(chunk);
  return Buffer.concat(chunks);
}
