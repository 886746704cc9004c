// Values packed and unpacked, and rows that say what can't be true.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Dictionary, describe, dictionariesOf, pack, unpack } from "./packed.ts";

const dictionary = Buffer.from('{"name":"somebody","email":"@example.com","roles":["reader"]}');
const DICTIONARY: Dictionary = {
  ...{ id: "abc", bytes: dictionary },
  compress: (value) => deflateRawSync(value, { dictionary }),
  decompress: (compressed) => inflateRawSync(compressed, { dictionary }),
};
const dictionaries = new Map([[DICTIONARY.id, DICTIONARY]]);
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
    withId: (id) => ({ ...DICTIONARY, id: `${id} it is` }),
  });
  expect(Array.from(needed, ([id, found]) => [id, found.id])).toEqual(codec === "zstd" ? [] : [[codec, "abc it is"]]);
  expect(unpack(stored(packed), dictionaries)).toEqual(value);
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

test("where nothing is to be packed, or its dictionary can't, nothing is", () => {
  const before = content(record);
  expect(pack(before, undefined)).toBe(before);
  expect(pack(before, { ...DICTIONARY, compress: () => undefined })).toBe(before);
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
    { content_type: "\x01abc", value },
    { content_type: "\x01abc/?;a/b", value },
  ]) {
    expect(() => unpack(row, dictionaries)).toThrow(
      /^internal: (a value can't be unpacked|a row's description of its value can't be read)$/,
    );
  }
});
