// Values packed and unpacked, and rows that say what can't be true.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, dictionariesOf, LEAST_BYTES, pack, unpack } from "./packed.ts";

const DICTIONARY = { id: "abc", bytes: Buffer.from('{"name":"somebody","email":"@example.com","roles":["reader"]}') };
const dictionaries = new Map([[DICTIONARY.id, DICTIONARY.bytes]]);
const content = (value: Buffer, contentType = "application/json") => ({ value, contentType, metadata: null });
const stored = (packed: ReturnType<typeof pack>) => ({ content_type: packed.contentType, value: packed.value });
const record = Buffer.from(
  JSON.stringify({
    name: "somebody else",
    email: "other@example.com",
    roles: ["reader", "writer"],
    note: "z".repeat(90),
  }),
);

test.each([
  ["with a dictionary", record, DICTIONARY, "abc"],
  ["without one", record, "none", "zstd"],
  ["large, whatever there is", Buffer.alloc(100_000, record), DICTIONARY, "zstd"],
] as const)("a value is packed %s, and comes back", async (_, value, dictionary, codec) => {
  const packed = pack(content(value, 'a/b; c="d;e"'), dictionary);
  expect(packed.value.length).toBeLessThan(value.length);
  expect(describe(packed.contentType)).toEqual({ contentType: 'a/b; c="d;e"', codec, valueBytes: value.length });
  const needed = await dictionariesOf([stored(packed)], {
    forValue: () => undefined,
    bytesOf: (id) => Buffer.from(id),
  });
  expect([...needed.keys()]).toEqual(codec === "zstd" ? [] : [codec]);
  expect(unpack(stored(packed), dictionaries)).toEqual(value);
});

test.each([512, 1024, 2048, 4096, 8192, 16_384])("values that just fill a window of %i bytes come back", (window) => {
  const text = Buffer.from(Array.from({ length: 16 * 1024 }, (_, i) => `${(i * i) % 9} `).join(""));
  const dictionary = { id: "abc", bytes: text.subarray(-window / 4) };
  for (const more of [-263, -262, -261, 0, 1]) {
    const value = text.subarray(0, window - dictionary.bytes.length + more);
    if (value.length < LEAST_BYTES) continue;
    const { content_type, value: packed } = stored(pack(content(value), dictionary));
    const usual = deflateRawSync(value, { dictionary: dictionary.bytes });
    for (const each of [packed, usual]) {
      expect(unpack({ content_type, value: each }, new Map([[dictionary.id, dictionary.bytes]]))).toEqual(value);
    }
    expect(inflateRawSync(packed, { dictionary: dictionary.bytes })).toEqual(value);
  }
});

test.each([
  ["that is small", Buffer.from("small"), undefined],
  ["that does not shrink", randomBytes(1_000), undefined],
  ["whose content type leaves no room", record, "t".repeat(250)],
])("a value %s is left as it is", (_, value, contentType) => {
  const before = content(value, contentType);
  for (const dictionary of [DICTIONARY, "none"] as const) expect(pack(before, dictionary)).toBe(before);
  expect(unpack({ content_type: before.contentType, value }, dictionaries)).toBe(value);
});

test("where nothing is to be packed, nothing is", () => {
  const before = content(record);
  expect(pack(before, undefined)).toBe(before);
});

test.each([
  ["with a dictionary", DICTIONARY],
  ["without one", "none"],
] as const)("what can't be true of a row packed %s is an error that says nothing of the value", (_, dictionary) => {
  const { content_type, value } = stored(pack(content(record), dictionary));
  for (const row of [
    { content_type: content_type.replace("/", "/1"), value },
    { content_type, value: value.subarray(0, -4) },
    { content_type: content_type.replace(/\w+\//, "absent/"), value },
    { content_type: "\x01?;a/b", value },
  ]) {
    expect(() => unpack(row, dictionaries)).toThrow(
      /^internal: (a value can't be unpacked|a row's description of its value can't be read)$/,
    );
  }
});
