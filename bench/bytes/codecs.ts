// Ways in which a server could make values smaller.

import { deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Dictionary } from "../../src/database/packed.ts";

export interface Codec {
  name: string;
  encode: (value: Buffer) => Buffer;
  /** Of a value of so many bytes. */
  decode: (stored: Buffer, bytes: number) => Buffer;
}

const DICTIONARY_BYTES = 32 * 1024;

/** Bun takes it, and its types do not know. */
type WithDictionary = { dictionary: Buffer } & object;

export const PLAIN: Codec = { name: "as it is", encode: (value) => value, decode: (stored) => stored };

export const OURS = "as servers pack them";

/** With a dictionary of other values of the same kind, one after the other, and the one that servers make of them. */
export function codecs(dictionary: Buffer, ours: Dictionary | undefined): Codec[] {
  return [
    PLAIN,
    {
      name: "zstd",
      encode: (value) => zstdCompressSync(value),
      decode: (stored) => zstdDecompressSync(stored),
    },
    {
      name: "zstd, dictionary of 32 kB",
      encode: (value) => zstdCompressSync(value, { dictionary } as WithDictionary),
      decode: (stored) => zstdDecompressSync(stored, { dictionary } as WithDictionary),
    },
    {
      name: "deflate",
      encode: (value) => deflateRawSync(value),
      decode: (stored) => inflateRawSync(stored),
    },
    ...(ours
      ? [
          {
            name: OURS,
            encode: (value: Buffer) => ours.compress(value) ?? value,
            decode: (stored: Buffer, bytes: number) => ours.decompress(stored, bytes) ?? stored,
          },
        ]
      : []),
    {
      name: "deflate, dictionary of 32 kB",
      encode: (value) => deflateRawSync(value, { dictionary }),
      decode: (stored) => inflateRawSync(stored, { dictionary }),
    },
  ];
}

/** The last of them, one after the other: as far as deflate can point back. */
export function dictionaryOf(values: Buffer[]): Buffer {
  return Buffer.concat(values).subarray(-DICTIONARY_BYTES);
}
