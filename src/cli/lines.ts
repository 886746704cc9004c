// Lines of a stream of bytes, however long it is: what `export` writes and `import` reads.

import { wrongUsage } from "./outcome.ts";

/** More than the largest value has in base64, with the rest of its entry. */
const LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

export interface Line {
  bytes: Buffer;
  /** From 1. */
  number: number;
  /** Where the next line begins, in bytes. */
  end: number;
  /** False for what follows the last newline: perhaps the stream was cut off. */
  isWhole: boolean;
}

/** Empty lines are left out. Throws where one is longer than an entry can be. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, void> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let number = 1;
  let end = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      const bytes = Buffer.concat([...rest, chunk.subarray(from, at)]);
      rest = [];
      restBytes = 0;
      end += bytes.length + 1;
      if (bytes.length > 0) yield { bytes, number, end, isWhole: true };
      number += 1;
      from = at + 1;
    }
    rest.push(Buffer.from(chunk.subarray(from)));
    restBytes += chunk.length - from;
    if (restBytes > LINE_BYTES) throw wrongUsage(`Line ${number} is longer than an entry can be.`);
  }
  if (restBytes > 0) yield { bytes: Buffer.concat(rest), number, end: end + restBytes, isWhole: false };
}

/** The cursor of a line that holds nothing else; undefined where it is another line, null at the end of an export. */
export function cursorOf(document: unknown): string | null | undefined {
  if (typeof document !== "object" || document === null || !("cursor" in document)) return undefined;
  const { cursor, ...others } = document;
  const isCursor = cursor === null || typeof cursor === "string";
  return isCursor && Object.keys(others).length === 0 ? cursor : undefined;
}
