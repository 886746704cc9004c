// Standard output as bytes, one write after the other: a slow reader slows the command down, and one that has gone ends it.

import { addAbortSignal } from "node:stream";
import { stop } from "./stop.ts";

/** Ends the process quietly once nobody reads its output, as in `kv list ns | head -1`. */
export function endWithoutReader() {
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? 0 : 1));
  process.stderr.on("error", () => {});
}

/** Resolves once it is written, so that a process may end. */
export function print(content: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => process.stdout.write(content, () => resolve()));
}

export const printLine = (line: string) => print(`${line}\n`);
export const printJson = (document: unknown) => printLine(JSON.stringify(document));

/** For people: never on standard output, whose lines a program may read. */
export function tell(sentence: string) {
  process.stderr.write(`${sentence}\n`);
}

/** Standard input; a signal ends the wait for more of it. */
export function input(): AsyncIterable<Uint8Array> {
  return addAbortSignal(stop, process.stdin);
}

/** All of it. */
export async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input()) chunks.push(chunk);
  return Buffer.concat(chunks);
}
