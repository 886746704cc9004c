// Every SQL text as it is sent: a change of one shows here.

import { expect, test } from "bun:test";
import { entryKey } from "../store/store.ts";
import * as statements from "./statements.ts";

const [a, b] = [entryKey("ns", "a"), entryKey("ns", "b")];
const content = { value: Buffer.from("v"), contentType: "text/plain", metadata: null };
const revision = "0".repeat(32);
const guard = { revision, expiresAtMs: null, lives: true };

const put = { key: a, revision, expiry: "never", content } as const;
const change = { key: a, guard, revision, expiresAtMs: 5, content };
const touch = { ...change, content: undefined };
const create = { ...change, guard: null };

test.each([
  ["get, one row", statements.selectEntries([a], 10)],
  ["get, several rows", statements.selectEntries([a, b], 10)],
  ["head", statements.selectInfos([a, b])],
  ["find", statements.selectRows([a, b])],
  ["look back", statements.selectRevisions([a, b])],
  ["ping", statements.selectNothing()],
  ["put", statements.upsert([put])],
  [
    "put, several expiries",
    statements.upsert([put, { ...put, expiry: { afterMs: 1 } }, { ...put, expiry: { atMs: 1 } }]),
  ],
  ["delete", statements.remove([a, b])],
  ["create, one row", statements.insert([create])],
  ["create, several rows", statements.insert([create, { ...create, key: b }])],
  ["replace, one row", statements.update([change])],
  ["replace, several rows", statements.update([change, { ...change, key: b }])],
  ["touch, one row", statements.update([touch])],
  ["touch, several rows", statements.update([touch, { ...touch, key: b }])],
  ["scan", statements.selectRange({ start: a, end: b, reverse: false, limit: 10 })],
  ["scan from the end", statements.selectRange({ start: a, end: b, reverse: true, limit: 10 })],
  ["update together", statements.updateTogether([change, { ...touch, key: b }])],
  ["find contents", statements.selectContents([a, b], 21, 100)],
  ["reclaim", statements.removeExpired([a, b])],
  ["find expired", statements.selectExpired(10, null)],
  ["find expired, behind another", statements.selectExpired(10, { key: a, atMs: 1 })],
  ["count expired", statements.countExpired(10)],
])("%s", (_, { sql, params }) => {
  expect(sql).toMatchSnapshot();
  expect(sql.split("?").length - 1).toBe(params.length);
});
