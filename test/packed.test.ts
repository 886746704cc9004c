// Values that are packed in their rows, by one server and not by another, beside values that are not: whoever reads them,
// and whatever writes do with them, they are what was written.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { createClient } from "../src/client/client.ts";
import { describe as describePacked } from "../src/database/packed.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { startWorkerd } from "../vitess/run/workerd.ts";
import { call, connectToPrimaryOf, connectToTablet, rowKey, targets, until } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;
const namespace = `packed-${Date.now()}`;
/** More than a dictionary is made of. */
const TAUGHT = 2_000;
const record = (i: number) =>
  JSON.stringify({
    id: Bun.hash.xxHash64(String(i)).toString(16),
    ...{ name: `somebody ${i}`, email: `${i}@example.com`, roles: ["reader", "writer"], state: "active" },
    about: `number ${i} of many who have much in common: where they live, what they may, and how they are written down`,
  });
/** Values of every kind that a row can have, by key. */
const VALUES: Record<string, string> = {
  small: "s",
  record: record(-1),
  long: Array.from({ length: 40 }, (_, i) => record(i)).join("\n"),
  large: "large and repeated ".repeat(50_000),
};

let packing: RunningServer;
let plain: RunningServer;
let worker: RunningServer;
const urlOf = ({ url }: { url: string }, key: string) => `${url}/v1/kv/${namespace}/${key}`;
const put = (server: RunningServer, key: string, body: string, headers = {}) =>
  call(urlOf(server, key), { method: "PUT", body, headers: { "Content-Type": 'text/x; a="b;c"', ...headers } });

/** A row's content type, which tells how its value is stored, and the bytes of that. */
async function rowOf(key: string): Promise<[description: string, bytes: number]> {
  const url = urlOf(packing, key);
  const connection = await connectToPrimaryOf(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      "SELECT content_type, LENGTH(value) AS bytes FROM entries WHERE `key` = ?",
      [rowKey(url)],
    );
    return [rows[0]?.content_type, rows[0]?.bytes];
  } finally {
    connection.destroy();
  }
}

beforeAll(async () => {
  [packing, plain] = await Promise.all([
    startServer({ DATABASE_URL }),
    startServer({ DATABASE_URL, KV_COMPRESS: "false" }),
  ]);
  worker = await startWorkerd(DATABASE_URL);
  const kv = createClient({ url: packing.url, namespace });
  for (let i = 0; i < TAUGHT; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => kv.put(`taught-${i + j}`, record(i + j))));
  }
}, 120_000);
afterAll(() => Promise.all([packing, plain, worker].map((each) => each?.stop())));

describe.each(["packing", "plain"])("what a server writes that is %s", (name) => {
  const writer = () => (name === "packing" ? packing : plain);
  const keyOf = (kind: string) => `${name}-${kind}`;
  beforeAll(async () => {
    for (const [kind, value] of Object.entries(VALUES)) {
      const headers = { "KV-Metadata": '{"a":1}' };
      expect((await put(writer(), keyOf(kind), value, headers)).status).toBe(204);
    }
  });

  test("is stored in fewer bytes where that is so", async () => {
    const packed = name === "packing" ? { record: "dictionary", long: "dictionary", large: "zstd" } : {};
    for (const [kind, value] of Object.entries(VALUES)) {
      const [description, bytes] = await rowOf(keyOf(kind));
      const { codec, contentType } = describePacked(description);
      const expected = (packed as Record<string, string>)[kind];
      expect([codec && (codec === "zstd" ? codec : "dictionary"), contentType]).toEqual([expected, 'text/x; a="b;c"']);
      if (expected) expect(bytes).toBeLessThan(value.length / 2);
      else expect(bytes).toBe(value.length);
    }
  });

  test("is what each server reads, alone, in batches and in lists", async () => {
    for (const reader of [packing, plain, worker]) {
      const kv = createClient({ url: reader.url, namespace });
      for (const [kind, value] of Object.entries(VALUES)) {
        const got = await call(urlOf(reader, keyOf(kind)));
        expect(await got.text()).toBe(value);
        expect(got.headers.get("Content-Type")).toBe('text/x; a="b;c"');
        expect(got.headers.get("KV-Metadata")).toBe('{"a":1}');
        const head = await call(urlOf(reader, keyOf(kind)), { method: "HEAD" });
        expect(head.headers.get("Content-Length")).toBe(String(value.length));
      }
      const kinds = Object.keys(VALUES);
      expect(await Promise.all(kinds.map((kind) => kv.get(keyOf(kind))))).toEqual(Object.values(VALUES));
      const listed: Record<string, number> = {};
      for await (const { key, bytes } of kv.list({ prefix: `${name}-` })) {
        listed[key as string] = bytes as number;
      }
      expect(listed).toEqual(
        Object.fromEntries(Object.entries(VALUES).map(([kind, value]) => [keyOf(kind), value.length])),
      );
    }
  });

  test.each(["packing", "plain"])("can be changed by a server that is %s", async (by) => {
    const server = by === "packing" ? packing : plain;
    for (const [kind, value] of Object.entries(VALUES)) {
      const url = urlOf(server, keyOf(kind));
      const before = (await call(url)).headers.get("ETag") as string;
      expect((await call(`${url}/ttl`, { method: "PUT", body: '{"ttl":100}' })).status).toBe(200);
      expect(await (await call(url)).text()).toBe(value);
      expect((await call(`${url}/ttl`, { method: "DELETE" })).status).toBeLessThan(300);
      const command = (...parts: string[]) =>
        call(`${server.url}/redis/${namespace}`, { method: "POST", body: JSON.stringify(parts) });
      const result = async (...parts: string[]) =>
        ((await (await command(...parts)).json()) as { result: unknown }).result;
      expect(await result("STRLEN", keyOf(kind))).toBe(value.length);
      expect(await result("GETRANGE", keyOf(kind), "-3", "-1")).toBe(value.slice(-3));
      expect((await put(server, keyOf(kind), "other", { "If-Match": '"00000000000000000000"' })).status).toBe(412);
      expect((await put(server, keyOf(kind), "other", { "If-Match": before })).status).toBe(204);
      expect(await (await call(url)).text()).toBe("other");
      expect((await put(server, keyOf(kind), value, { "If-None-Match": "*" })).status).toBe(412);
      expect(await result("APPEND", keyOf(kind), value)).toBe(5 + value.length);
      expect(await (await call(url)).text()).toBe(`other${value}`);
      expect((await put(server, keyOf(kind), value)).status).toBe(204);
    }
  });
});

test("a value that a server which packs nothing writes over a packed one is that value", async () => {
  for (const value of ["short", record(7), VALUES.large as string]) {
    expect((await put(packing, "over", record(5))).status).toBe(204);
    expect((await put(plain, "over", value)).status).toBe(204);
    for (const reader of [packing, plain, worker]) expect(await (await call(urlOf(reader, "over"))).text()).toBe(value);
  }
});

test("what was packed by deflate, as versions before did, is read and can be changed", async () => {
  const dictionary = Buffer.from(
    `${namespace}: number of many who have much in common: where they live, what they may`,
  );
  const id = createHash("sha256").update(dictionary).digest("base64url").slice(0, 12);
  const value = record(8);
  const length = value.length.toString(36);
  const vtgate = await createConnection(DATABASE_URL);
  try {
    const [[like]] = await vtgate.query<RowDataPacket[]>("SELECT version FROM entries WHERE `key` = ?", [
      rowKey(urlOf(packing, "taught-1")),
    ]);
    const insert = (...row: [key: string | Buffer, contentType: string, value: Buffer]) =>
      vtgate.query("INSERT INTO entries (version, `key`, content_type, value) VALUES (?, ?, ?, ?)", [
        like?.version,
        ...row,
      ]);
    await insert(`.dictionary/${id}/0`, "application/octet-stream", dictionary);
    const deflated = deflateRawSync(value, { dictionary });
    await insert(rowKey(urlOf(packing, "former")), `\x01${id}/${length};text/x`, deflated);
  } finally {
    vtgate.destroy();
  }
  for (const reader of [packing, plain, worker]) {
    const got = await call(urlOf(reader, "former"));
    expect([await got.text(), got.headers.get("Content-Type")]).toEqual([value, "text/x"]);
  }
  const append = { method: "POST", body: JSON.stringify(["APPEND", "former", "!"]) };
  expect(await (await call(`${packing.url}/redis/${namespace}`, append)).json()).toEqual({ result: value.length + 1 });
  expect(await (await call(urlOf(plain, "former"))).text()).toBe(`${value}!`);
});

test("each shard has its own copy of the dictionary, and any that is left will do", async () => {
  const keys = Array.from({ length: 40 }, (_, i) => `copied-${i}`);
  const writeAll = () => Promise.all(keys.map((key, i) => put(packing, key, record(i))));
  // The first value in a shard has it get a copy.
  await writeAll();
  const id = describePacked((await rowOf("taught-1999"))[0]).codec as string;
  const primaries = await Promise.all(
    targets.vitess.status.tablets
      .filter(({ role }) => role === "primary")
      .map(({ mysqlSocket }) => connectToTablet(mysqlSocket)),
  );
  const prefix = `.dictionary/${id}/%`;
  const copiesIn = async (primary: Connection) => {
    const [rows] = await primary.query<RowDataPacket[]>("SELECT `key` FROM entries WHERE `key` LIKE ?", [prefix]);
    return rows.length;
  };
  try {
    for (const primary of primaries) await until(async () => (await copiesIn(primary)) > 0, "a copy in each shard");
    await writeAll();
    for (const key of keys) expect(describePacked((await rowOf(key))[0]).codec).toBe(id);
    // As if all others had been restored to a moment before they had theirs.
    for (const primary of primaries.slice(1)) await primary.query("DELETE FROM entries WHERE `key` LIKE ?", [prefix]);
    const newcomer = await startServer({ DATABASE_URL, KV_COMPRESS: "false" });
    try {
      for (const [i, key] of keys.entries()) expect(await (await call(urlOf(newcomer, key))).text()).toBe(record(i));
    } finally {
      await newcomer.stop();
    }
  } finally {
    for (const primary of primaries) primary.destroy();
  }
});

test("many large values in one answer, of which not all fit", async () => {
  const value = (i: number) => `${i} `.repeat(300_000).slice(0, 900_000);
  await Promise.all(Array.from({ length: 30 }, (_, i) => put(i % 2 ? packing : plain, `many-${i}`, value(i))));
  for (const reader of [packing, plain]) {
    const got = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => (await call(urlOf(reader, `many-${i}`))).text()),
    );
    for (const [i, each] of got.entries()) expect(each === value(i)).toBe(true);
  }
});

test("a transaction over keys of both kinds", async () => {
  const keys = ["{a}1", "{a}2", "{a}3"];
  for (const [i, key] of keys.entries()) await put(i % 2 ? packing : plain, encodeURIComponent(key), record(i));
  const answer = await call(`${packing.url}/redis/${namespace}/pipeline`, {
    method: "POST",
    body: JSON.stringify(keys.map((key) => ["APPEND", key, "!"])),
  });
  expect(answer.status).toBe(200);
  for (const [i, key] of keys.entries()) {
    expect(await (await call(urlOf(plain, encodeURIComponent(key)))).text()).toBe(`${record(i)}!`);
  }
});
