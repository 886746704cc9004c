// A dictionary by its bytes, which tell the codec that it is for.

import { createHash } from "node:crypto";
import { inflateSync } from "fflate";
import type { Dictionary } from "../database/packed.ts";
import { isDictionary, type Zstd } from "../zstd/zstd.ts";

/** Of base64, six bits each: short, because each row has it, and long enough that no two are the same. */
const ID_CHARACTERS = 12;

export function dictionaryOf(bytes: Buffer, zstd: Zstd): Dictionary {
  const id = createHash("sha256").update(bytes).digest("base64url").slice(0, ID_CHARACTERS);
  return isDictionary(bytes)
    ? {
        ...{ id, bytes },
        compress: (value) => zstd.compress(value, bytes),
        decompress: (compressed, length) => zstd.decompress(compressed, bytes, length),
      }
    : { id, bytes, compress: () => undefined, decompress: (compressed, length) => inflate(compressed, bytes, length) };
}

/** By deflate (RFC 1951), as values were packed before. */
function inflate(deflated: Buffer, dictionary: Buffer, bytes: number): Buffer {
  const { buffer, byteOffset, byteLength } = inflateSync(deflated, { dictionary, out: new Uint8Array(bytes) });
  return Buffer.from(buffer, byteOffset, byteLength);
}
