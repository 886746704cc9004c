// zstd as it is called here: what it packs comes back, by any other zstd too, and what it did not pack is refused.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { DICTIONARY_VALUE_BYTES } from "../limits.ts";
import { BUILT_FROM, builtFrom } from "./build.ts";
import { openZstd, readModule } from "./open.ts";
import { isDictionary } from "./zstd.ts";

const zstd = openZstd();
const record = (i: number) =>
  Buffer.from(`{"name":"somebody ${i}","email":"${i}@example.com","roles":["reader","writer"],"id":${i * i * 7919}}`);
const records = (count: number) => Array.from({ length: count }, (_, i) => record(i));
const CONTENT = Buffer.from('"roles":["reader","writer"],"id":,"email":"@example.com",{"name":"somebody '.repeat(3));
const dictionary = zstd.makeDictionary(CONTENT, records(64)) as Buffer;
const other = zstd.makeDictionary(Buffer.alloc(300, "what has nothing to do with it, "), records(64)) as Buffer;

test("the module is built from the source beside it", () => {
  const [section] = WebAssembly.Module.customSections(readModule(), BUILT_FROM);
  expect(Buffer.from(section as ArrayBuffer).toString()).toBe(builtFrom());
});

test("values of any length come back, and have become smaller", () => {
  const all = Buffer.concat(records(400));
  for (const length of [
    1,
    2,
    100,
    127,
    128,
    129,
    1_000,
    1_024,
    4_095,
    DICTIONARY_VALUE_BYTES - 1,
    DICTIONARY_VALUE_BYTES,
  ]) {
    const value = all.subarray(0, length);
    const compressed = zstd.compress(value, dictionary) as Buffer;
    if (length > 50) expect(compressed.length).toBeLessThan(value.length / 2);
    expect(zstd.decompress(compressed, dictionary, length)).toEqual(value);
  }
});

test("values that do not shrink come back", () => {
  for (const length of [1, 300, DICTIONARY_VALUE_BYTES]) {
    const value = randomBytes(length);
    const compressed = zstd.compress(value, dictionary) as Buffer;
    // The largest is larger than what can be unpacked, and nobody keeps it.
    const expected = compressed.length <= DICTIONARY_VALUE_BYTES ? value : undefined;
    expect(zstd.decompress(compressed, dictionary, length)).toEqual(expected);
  }
});

test("larger values are refused", () => {
  expect(zstd.compress(Buffer.alloc(DICTIONARY_VALUE_BYTES + 1), dictionary)).toBeUndefined();
  expect(zstd.decompress(Buffer.alloc(DICTIONARY_VALUE_BYTES + 1), dictionary, 10)).toBeUndefined();
  expect(zstd.decompress(Buffer.alloc(10), dictionary, DICTIONARY_VALUE_BYTES + 1)).toBeUndefined();
});

test("what is no value of that length and dictionary is refused, and nothing is changed by it", () => {
  const value = record(1);
  const compressed = zstd.compress(value, dictionary) as Buffer;
  for (const length of [0, 1, value.length - 1, value.length + 1, DICTIONARY_VALUE_BYTES]) {
    expect(zstd.decompress(compressed, dictionary, length)).toBeUndefined();
  }
  expect(zstd.decompress(compressed.subarray(0, -3), dictionary, value.length)).toBeUndefined();
  expect(zstd.decompress(Buffer.alloc(0), dictionary, value.length)).toBeUndefined();
  expect(zstd.decompress(compressed, other, value.length)).not.toEqual(value);
  for (let i = 0; i < 2_000; i++) zstd.decompress(randomBytes(1 + (i % 200)), dictionary, value.length);
  for (let i = 0; i < compressed.length * 8; i++) {
    const flipped = Buffer.from(compressed);
    flipped[i >> 3] = (flipped[i >> 3] as number) ^ (1 << (i & 7));
    zstd.decompress(flipped, dictionary, value.length);
  }
  expect(zstd.decompress(compressed, dictionary, value.length)).toEqual(value);
});

test("of more dictionaries than are kept prepared, each packs and unpacks its own values", () => {
  const numbers = Array.from({ length: 600 }, (_, i) => i);
  const contentOf = (i: number) => Buffer.from(Array.from({ length: 20 }, (_, j) => `${i * 7919 + j * j}-`).join(""));
  const dictionaries = numbers.map((i) => zstd.makeDictionary(contentOf(i), records(8)) as Buffer);
  const compressed = numbers.map((i) => zstd.compress(contentOf(i), dictionaries[i] as Buffer) as Buffer);
  for (const i of [...numbers, ...numbers.toReversed()]) {
    const value = contentOf(i);
    const dictionary = dictionaries[i] as Buffer;
    expect(zstd.decompress(compressed[i] as Buffer, dictionary, value.length)).toEqual(value);
    expect(zstd.compress(value, dictionary)).toEqual(compressed[i] as Buffer);
    const neighbours = dictionaries[(i + 1) % dictionaries.length] as Buffer;
    expect(zstd.decompress(compressed[i] as Buffer, neighbours, value.length)).not.toEqual(value);
  }
});

test("a frame without its magic number is one that any zstd reads with it", () => {
  const value = record(9);
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const frame = Buffer.concat([magic, zstd.compress(value, dictionary) as Buffer]);
  expect(zstdDecompressSync(frame, { dictionary } as object)).toEqual(value);
});

test("a dictionary can be told by its first bytes", () => {
  expect(isDictionary(dictionary)).toBe(true);
  for (const bytes of [CONTENT, Buffer.alloc(0), dictionary.subarray(0, 3)]) expect(isDictionary(bytes)).toBe(false);
});
