// Dictionaries over the model store: made once for a namespace, found by others, and never of other bytes.

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ModelStore } from "../store/model.ts";
import { dictionaryKey, type EntryKey, entryKey } from "../store/store.ts";
import { KnownDictionaries, NamespaceDictionaries } from "./dictionaries.ts";

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

/** Writes values until the namespace has a dictionary, or so many were written. */
async function write(dictionaries: NamespaceDictionaries, make = record, count = 3_000, namespace = "ns") {
  for (let i = 0; i < count; i++) {
    const found = dictionaries.forValue(key(String(i), namespace), make(i));
    if (found !== "none") return found;
    if (i % 10 === 0) await Bun.sleep(0);
  }
  return "none";
}

test("a namespace of values that have much in common gets one, which others find and can read", async () => {
  const store = new ModelStore();
  const made = await write(new NamespaceDictionaries(store));
  if (made === "none" || made === undefined) throw new Error("there is none");
  const other = new NamespaceDictionaries(store);
  expect(other.forValue(key("a"), record(1))).toBe("none");
  await Bun.sleep(0);
  expect(other.forValue(key("a"), record(1))).toEqual(made);
  const reader = new KnownDictionaries(store);
  expect(reader.forValue(key("a"), record(1))).toBeUndefined();
  expect(await reader.bytesOf(made.id)).toEqual(made.bytes);
  expect(reader.bytesOf(made.id)).toEqual(made.bytes);
});

test("two servers that make one at the same time have the same afterwards", async () => {
  const store = new ModelStore();
  const servers = [new NamespaceDictionaries(store), new NamespaceDictionaries(store)];
  const [one, other] = await Promise.all(servers.map((each) => write(each)));
  expect(one).not.toBe("none");
  expect(one).toEqual(other);
});

test("values that have nothing in common get none", async () => {
  const store = new ModelStore();
  expect(await write(new NamespaceDictionaries(store), () => content(randomBytes(300)))).toBe("none");
});

test("entries of the servers' own are never packed", () => {
  const dictionaries = new NamespaceDictionaries(new ModelStore());
  expect(dictionaries.forValue(dictionaryKey("a"), record(1))).toBeUndefined();
});

test("one that is not there can be had later, and one that was changed never", async () => {
  const store = new ModelStore();
  const dictionaries = new KnownDictionaries(store);
  expect(dictionaries.bytesOf("0123456789ab")).rejects.toMatchObject({ code: "unavailable" });
  const made = await write(new NamespaceDictionaries(store));
  if (made === "none" || made === undefined) throw new Error("there is none");
  await store.put(dictionaryKey(made.id), { ...content(Buffer.from("other")), expiry: "never" });
  expect(dictionaries.bytesOf(made.id)).rejects.toMatchObject({ code: "internal" });
});
