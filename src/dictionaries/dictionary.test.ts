// Dictionaries by their bytes: zstd's, and those of former versions, which are for deflate.

import { describe, expect, test } from "bun:test";
import { deflateRawSync } from "node:zlib";
import { DICTIONARY_VALUE_BYTES } from "../limits.ts";
import { openZstd } from "../zstd/open.ts";
import { dictionaryOf } from "./dictionary.ts";

const zstd = openZstd();
const text = Buffer.from(Array.from({ length: 16 * 1024 }, (_, i) => `${(i * i) % 9} `).join(""));
const samples = Array.from({ length: 64 }, (_, i) => text.subarray(i, i + 500));

test("zstd's packs and unpacks", () => {
  const dictionary = dictionaryOf(zstd.makeDictionary(text.subarray(0, 1_000), samples) as Buffer, zstd);
  const value = text.subarray(300, 900);
  const packed = dictionary.compress(value) as Buffer;
  expect(packed.length).toBeLessThan(value.length / 4);
  expect(dictionary.decompress(packed, value.length)).toEqual(value);
});

describe("deflate's", () => {
  const dictionary = dictionaryOf(text.subarray(-600), zstd);
  const deflate = (value: Buffer, options = {}) => deflateRawSync(value, { dictionary: dictionary.bytes, ...options });

  test("packs nothing any more", () => {
    expect(dictionary.compress(text.subarray(0, 300))).toBeUndefined();
  });

  test.each([9, 10, 12, 15])("unpacks what was packed with a window of 2 to the power of %i", (windowBits) => {
    for (const length of [1, 128, 2 ** windowBits - 600, 2 ** windowBits - 262, DICTIONARY_VALUE_BYTES]) {
      if (length < 1 || length > DICTIONARY_VALUE_BYTES) continue;
      const value = text.subarray(0, length);
      const packed = deflate(value, { windowBits, memLevel: Math.max(1, windowBits - 8) });
      expect(dictionary.decompress(packed, length)).toEqual(value);
    }
  });

  test("takes nothing for a value that is none", () => {
    const value = text.subarray(0, 300);
    const packed = deflate(value);
    const unpacked = (compressed: Buffer, bytes: number) => {
      try {
        return dictionary.decompress(compressed, bytes)?.length === bytes;
      } catch {
        return false;
      }
    };
    expect(unpacked(packed, 300)).toBe(true);
    for (const bytes of [1, 299, 301, 5_000]) expect(unpacked(packed, bytes)).toBe(false);
    for (const part of [packed.subarray(0, -3), Buffer.alloc(0)]) expect(unpacked(part, 300)).toBe(false);
  });
});
