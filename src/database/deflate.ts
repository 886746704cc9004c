// Deflate with a dictionary (RFC 1951): zlib's, and fflate's where the runtime's zlib takes no notice of dictionaries, as
// Deno's does not. The two read what the other has written.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { deflateSync, inflateSync } from "fflate";

const WORD = Buffer.from("dictionary");

/** Whether zlib does anything with one. */
const takesDictionaries = deflateRawSync(WORD, { dictionary: WORD }).length < WORD.length;

/** What deflate can't point back to, at the far end of its window. */
const LOOKAHEAD_BYTES = 262;
const WINDOW_BITS = { least: 9, most: 15 };
/** While there is room for so many, inflate takes its fast path. */
const LONGEST_MATCH_BYTES = 258;
const CHUNK_BYTES = { least: 64, most: 64 * 1024 };

/**
 * zlib's option for what has at most so many bytes when it is done: that it comes in one chunk, unless it is large. By
 * default zlib sets 16 kB aside for each value. With room to spare it need not ask for a second chunk to find that nothing
 * follows.
 */
export function inOneChunk(bytes: number): { chunkSize: number } {
  const { least, most } = CHUNK_BYTES;
  return { chunkSize: Math.min(most, Math.max(least, bytes + LONGEST_MATCH_BYTES)) };
}

export function deflate(value: Buffer, dictionary: Buffer): Buffer {
  if (takesDictionaries) {
    const { length } = value;
    return deflateRawSync(value, { dictionary, ...windowFor(length + dictionary.length), ...inOneChunk(length) });
  }
  return bufferOf(deflateSync(value, { dictionary }));
}

/**
 * As little memory as the value and its dictionary have use for. By default zlib takes 256 kB for each value. To make
 * them ready takes longer than to deflate a small one, and drives what other calls need out of the processor's caches.
 */
function windowFor(bytes: number) {
  const bits = Math.ceil(Math.log2(bytes + LOOKAHEAD_BYTES));
  const windowBits = Math.min(WINDOW_BITS.most, Math.max(WINDOW_BITS.least, bits));
  return { windowBits, memLevel: windowBits - 8 };
}

/** Of a value of so many bytes. Throws whatever it finds wrong. */
export function inflate(deflated: Buffer, dictionary: Buffer, bytes: number): Buffer {
  if (takesDictionaries) return inflateRawSync(deflated, { dictionary, maxOutputLength: bytes, ...inOneChunk(bytes) });
  return bufferOf(inflateSync(deflated, { dictionary, out: new Uint8Array(bytes) }));
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
