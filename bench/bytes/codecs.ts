// Ways in which a server could make values smaller.

import { deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";

export interface Codec {
  name: string;
  encode: (value: Buffer) => Buffer;
  decode: (stored: Buffer) => Buffer;
}

/** Bun takes it, and its types do not know. */
type WithDictionary = { dictionary: Buffer } & object;

export const PLAIN: Codec = { name: "as it is", encode: (value) => value, decode: (stored) => stored };

/** With what other values of the same kind have in common, most of all at its end, which deflate can point to with least. */
export function codecs(dictionary: Buffer): Codec[] {
  const small = dictionary.subarray(-4 * 1024);
  return [
    PLAIN,
    {
      name: "zstd",
      encode: (value) => Buffer.from(Bun.zstdCompressSync(value, { level: 3 })),
      decode: (stored) => Buffer.from(Bun.zstdDecompressSync(stored)),
    },
    {
      name: "zstd, dictionary of 32 kB",
      encode: (value) => zstdCompressSync(value, { dictionary } as WithDictionary),
      decode: (stored) => zstdDecompressSync(stored, { dictionary } as WithDictionary),
    },
    deflate("deflate", undefined),
    deflate("deflate, dictionary of 4 kB", small),
    deflate("deflate, dictionary of 32 kB", dictionary),
  ];
}

function deflate(name: string, dictionary: Buffer | undefined): Codec {
  const options = { level: 6, ...(dictionary && { dictionary }) };
  return {
    name,
    encode: (value) => deflateRawSync(value, options),
    decode: (stored) => inflateRawSync(stored, options),
  };
}

/** Values of the kind, one after the other: not trained, which would leave out what is rare. */
export function dictionaryOf(values: Buffer[], bytes = 32 * 1024): Buffer {
  return Buffer.concat(values).subarray(-bytes);
}
