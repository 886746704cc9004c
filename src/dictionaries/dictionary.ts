// Makes a dictionary from its bytes, the first of which say which codec it is for.

import { createHash } from "node:crypto";
import { inflateSync } from "fflate";
import type { Dictionary } from "../database/packed.ts";
import { isDictionary, type Zstd } from "../zstd/zstd.ts";

/** Of base64, six bits each: short, because each row has it, and long enough that no two are the same. */
const ID_CHARACTERS = 12;

export function dictionaryOf(bytes: Buffer, zstd: Zstd): Dictionary {
  const id = createHash("sha256").update(bytes).digest("base64url").slice(0, ID_CHARACTERS);
  return { id, bytes, ...(isDictionary(bytes) ? zstdWith(bytes, zstd) : deflateWith(bytes)) };
}

type Codec = Pick<Dictionary, "compress" | "decompress">;

function zstdWith(dictionary: Buffer, zstd: Zstd): Codec {
  return {
    compress: (value) => zstd.compress(value, dictionary),
    decompress: (compressed, bytes) => zstd.decompress(compressed, dictionary, bytes),
  };
}

/** Deflate (RFC 1951), which former versions packed with. */
function deflateWith(dictionary: Buffer): Codec {
  return {
    compress: () => undefined,
    decompress(compressed, bytes) {
      // With a byte more, because fflate fills what it is given, and leaves out what has no room there.
      const { buffer, byteOffset, length } = inflateSync(compressed, { dictionary, out: new Uint8Array(bytes + 1) });
      return Buffer.from(buffer, byteOffset, length);
    },
  };
}
