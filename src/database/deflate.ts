// Deflate with a dictionary (RFC 1951): zlib's, and fflate's where the runtime's zlib takes no notice of dictionaries, as
// Deno's does not. The two read what the other has written.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { deflateSync, inflateSync } from "fflate";

const WORD = Buffer.from("dictionary");

/** Whether zlib does anything with one. */
const takesDictionaries = deflateRawSync(WORD, { dictionary: WORD }).length < WORD.length;

export function deflate(value: Buffer, dictionary: Buffer): Buffer {
  if (takesDictionaries) return deflateRawSync(value, { dictionary });
  return bufferOf(deflateSync(value, { dictionary }));
}

/** Of a value of so many bytes. Throws whatever it finds wrong. */
export function inflate(deflated: Buffer, dictionary: Buffer, bytes: number): Buffer {
  if (takesDictionaries) return inflateRawSync(deflated, { dictionary, maxOutputLength: bytes });
  return bufferOf(inflateSync(deflated, { dictionary, out: new Uint8Array(bytes) }));
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
