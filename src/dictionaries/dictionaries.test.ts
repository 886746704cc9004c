// Dictionaries over the model store, in four shards: made for a namespace, found by others, copied to each shard before a
// row there can name them, replaced when values change, and never of other bytes.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import type { Dictionary } from "../database/packed.ts";
import { ONE_SHARD } from "../database/shards.ts";
import { ModelStore } from "../store/model.ts";
import { behindPrefix, dictionaryKey, type EntryKey, entryKey, keyName } from "../store/store.ts";
import { openZstd } from "../zstd/open.ts";
import { KnownDictionaries, NamespaceDictionaries } from "./dictionaries.ts";
import { dictionaryOf } from "./dictionary.ts";

const NAMES = ["-40", "40-80", "80-c0", "c0-"];
const shardOf = (key: EntryKey) => NAMES[Number(Bun.hash(key) % 4n)] as string;
const shards = { ...ONE_SHARD, names: () => NAMES, shardOf };
const SHARD = "40-80";
const zstd = openZstd();

const key = (name: string, namespace = "ns"): EntryKey => entryKey(namespace, name);
const content = (value: Buffer) => ({ value, contentType: "application/json", metadata: null });
const record = (i: number) =>
  content(
    Buffer.from(
      JSON.stringify({
        id: randomBytes(6).toString("hex"),
        name: `somebody ${i}`,
        email: `${i}@example.com`,
        roles: ["reader", "writer"],
        about: "one of many somebodies, who were all made up for this test",
      }),
    ),
  );
const line = (i: number) =>
  content(
    Buffer.from(
      `${i}: it rained in the town by the river, and ${randomBytes(6).toString("hex")} stayed at home, where it was dry and warm and nobody knew what to do before the evening`,
    ),
  );

/** Writes values until they are packed with another dictionary than before, or so many were written. */
async function write(dictionaries: NamespaceDictionaries, make = record, before?: Dictionary) {
  const { forValue } = dictionaries.at(SHARD);
  for (let i = 0; i < 3_000; i++) {
    const found = forValue(key(String(i)), make(i));
    if (found !== "none" && found !== undefined && found.id !== before?.id) return found;
    // A dictionary is made meanwhile, in turns.
    if (i % 10 === 0) await Bun.sleep(1);
  }
  throw new Error("there is none");
}

async function copiesOf({ id }: Dictionary, store: ModelStore): Promise<EntryKey[]> {
  const start = dictionaryKey(`${id}/`);
  const range = { start, end: behindPrefix(start), order: "key", reverse: false, limit: 10 } as const;
  return (await store.list(range)).entries.map((entry) => entry.key);
}

async function lose(dictionary: Dictionary, store: ModelStore, isLost = (_: EntryKey) => true) {
  for (const copy of await copiesOf(dictionary, store)) if (isLost(copy)) await store.delete(copy);
}

test("a namespace of values that have much in common gets one, which others find and can read", async () => {
  const store = new ModelStore();
  const made = await write(new NamespaceDictionaries(store, shards, zstd));
  const other = new NamespaceDictionaries(store, shards, zstd).at(SHARD);
  expect(other.forValue(key("a"), record(1))).toBe("none");
  await Bun.sleep(0);
  expect(other.forValue(key("a"), record(1))).toMatchObject({ id: made.id, bytes: made.bytes });
  const reader = new KnownDictionaries(store, shards, zstd).at(SHARD);
  expect(reader.forValue(key("a"), record(1))).toBeUndefined();
  expect((await reader.withId(made.id)).bytes).toEqual(made.bytes);
  expect(reader.withId(made.id)).toMatchObject({ bytes: made.bytes });
});

test("each shard has its own copy before a value there is packed with it", async () => {
  const store = new ModelStore();
  const dictionaries = new NamespaceDictionaries(store, shards, zstd);
  const made = await write(dictionaries);
  for (const shard of NAMES) {
    const { forValue } = dictionaries.at(shard);
    for (let i = 0; i < 5 && forValue(key("a"), record(1)) !== made; i++) await Bun.sleep(0);
    expect(forValue(key("a"), record(1))).toBe(made);
    expect((await copiesOf(made, store)).map(shardOf)).toContain(shard);
  }
});

test("a row can be read by its own shard's copy alone, and without it by any", async () => {
  const store = new ModelStore();
  const dictionaries = new NamespaceDictionaries(store, shards, zstd);
  const made = await write(dictionaries);
  await lose(made, store, (copy) => shardOf(copy) !== SHARD);
  const bytesOf = async (shard: string) =>
    (await new KnownDictionaries(store, shards, zstd).at(shard).withId(made.id)).bytes;
  expect(await bytesOf(SHARD)).toEqual(made.bytes);
  for (const shard of [...NAMES, "of a map that is out of date"]) expect(await bytesOf(shard)).toEqual(made.bytes);
  // And each shard has one again.
  await Bun.sleep(0);
  expect(new Set((await copiesOf(made, store)).map(shardOf))).toEqual(new Set(NAMES));
  await lose(made, store);
  expect(bytesOf(SHARD)).rejects.toMatchObject({ code: "unavailable" });
});

test("one whose bytes are not what they were is not believed", async () => {
  const store = new ModelStore();
  const made = await write(new NamespaceDictionaries(store, shards, zstd));
  for (const copy of await copiesOf(made, store)) {
    await store.put(copy, { ...content(Buffer.from("other")), expiry: "never" });
  }
  const reader = new KnownDictionaries(store, shards, zstd).at(SHARD);
  expect(reader.withId(made.id)).rejects.toMatchObject({ code: "unavailable" });
});

test("two servers that make one at the same time have the same afterwards", async () => {
  const store = new ModelStore();
  const servers = [new NamespaceDictionaries(store, shards, zstd), new NamespaceDictionaries(store, shards, zstd)];
  const [one, other] = await Promise.all(servers.map((each) => write(each)));
  expect(one?.id).toBe(other?.id as string);
});

test("where values have become different, another one is made, and the one before stays", async () => {
  const store = new ModelStore();
  const before = await write(new NamespaceDictionaries(store, shards, zstd));
  // As after a restart, which is when a server looks first.
  const after = await write(new NamespaceDictionaries(store, shards, zstd), line, before);
  expect((await store.get(dictionaryKey("zstd/ns")))?.value.toString()).toBe(after.id);
  const reader = new KnownDictionaries(store, shards, zstd).at(SHARD);
  for (const { id, bytes } of [before, after]) expect((await reader.withId(id)).bytes).toEqual(bytes);
});

test("that of a former version, for deflate, is left to such versions", async () => {
  const store = new ModelStore();
  const former = dictionaryOf(Buffer.from('"roles":["reader","writer"],"about":"one of many somebodies"'), zstd);
  const put = (at: EntryKey, value: Buffer) => store.put(at, { ...content(value), expiry: "never" });
  await put(dictionaryKey(`${former.id}/0`), former.bytes);
  await put(dictionaryKey("of/ns"), Buffer.from(former.id));
  const made = await write(new NamespaceDictionaries(store, shards, zstd));
  expect(made.id).not.toBe(former.id);
  expect((await store.get(dictionaryKey("of/ns")))?.value.toString()).toBe(former.id);
  const { value } = record(1);
  const deflated = deflateRawSync(value, { dictionary: former.bytes });
  const reader = new KnownDictionaries(store, shards, zstd).at(SHARD);
  expect((await reader.withId(former.id)).decompress(deflated, value.length)).toEqual(value);
});

test("it is fetched for all who want it at once, and prepared for one of them", async () => {
  const store = new ModelStore();
  const made = await write(new NamespaceDictionaries(store, shards, zstd));
  const reader = new KnownDictionaries(store, shards, zstd).at(SHARD);
  const found = await Promise.all(Array.from({ length: 50 }, () => reader.withId(made.id)));
  expect(new Set(found).size).toBe(1);
});

test("what single values have is not in it", async () => {
  const secrets: string[] = [];
  const secretive = (i: number) => {
    const secret = randomBytes(20).toString("base64");
    secrets.push(secret);
    return content(Buffer.from(record(i).value.toString().replace('"name"', `"secret":"${secret}","name"`)));
  };
  const { bytes } = await write(new NamespaceDictionaries(new ModelStore(), shards, zstd), secretive);
  expect(bytes.includes('","email":"')).toBe(true);
  for (const secret of secrets) {
    for (let at = 0; at + 6 <= secret.length; at++) expect(bytes.includes(secret.slice(at, at + 6))).toBe(false);
  }
});

test("one that is lost is replaced", async () => {
  const store = new ModelStore();
  const before = await write(new NamespaceDictionaries(store, shards, zstd));
  await lose(before, store);
  const after = await write(new NamespaceDictionaries(store, shards, zstd));
  expect((await store.get(dictionaryKey("zstd/ns")))?.value.toString()).toBe(after.id);
});

test("values that become no smaller are soon not packed any more", async () => {
  const { forValue } = new NamespaceDictionaries(new ModelStore(), shards, zstd).at(SHARD);
  for (let i = 0; i < 1_000; i++) {
    forValue(key(String(i)), content(randomBytes(300)));
    if (i % 10 === 0) await Bun.sleep(0);
  }
  await Bun.sleep(10);
  expect(forValue(key("a"), content(randomBytes(300)))).toBeUndefined();
});

test("entries of the servers' own are never packed", () => {
  const { forValue } = new NamespaceDictionaries(new ModelStore(), shards, zstd).at(SHARD);
  expect(forValue(dictionaryKey("a"), record(1))).toBeUndefined();
  expect(keyName(dictionaryKey("a")).startsWith(".")).toBe(true);
});
