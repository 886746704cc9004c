// What a Worker's invocations ask of a shard before they tell what they were answered: over a fake database, which tells the
// tag that it is told to.

import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../database/connect.ts";
import type { Answered } from "../database/fence.ts";
import { shardAt, wholeMap } from "../database/shards.ts";
import type { Statement } from "../database/statements.ts";
import { type Tag, termOf } from "../database/tag.ts";
import { StoreError } from "../store/error.ts";
import { type EntryKey, entryKey } from "../store/store.ts";
import { Invocations } from "./invocations.ts";

const SHARDS = ["-80", "80-"];
const MAP = wholeMap(SHARDS) ?? [];
const LEASE_MS = 60;
const TERM = 2 ** 20;
const FIRST: Tag = 7 * TERM + 1;
const SECOND: Tag = 8 * TERM + 1;

const NO_FACTS = { tag: null, mark_version: Buffer.alloc(16) };

const hash = (key: Uint8Array) => Bun.hash.xxHash64(key);

function idOf(key: Uint8Array): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(hash(key));
  return bytes.readBigUInt64BE();
}

const shardOf = (key: Uint8Array) => shardAt(MAP, idOf(key)).name;

/** A key of the shard. */
function keyIn(shard: string): EntryKey {
  for (let n = 0; ; n++) {
    const key = entryKey("test", String(n));
    if (shardOf(key) === shard) return key;
  }
}

class Fake implements Database {
  /** Of each shard's primary. */
  tags: Record<string, Tag> = { "-80": FIRST, "80-": FIRST + 100 * TERM };
  /** Of terms that somebody has marked. */
  marked = new Set([FIRST, FIRST + 100 * TERM].map(termOf));
  /** What was sent, by names, with the shards of their keys. */
  sent: string[] = [];
  isMysql = false;
  failures = 0;

  async execute<T>({ name, sql, params }: Statement): Promise<T> {
    if (this.isMysql) throw new StoreError("internal", "ER_PARSE_ERROR 42000");
    const key = params[0] as Buffer;
    const answer = await this.answer(name, sql, params, key);
    return answer as T;
  }

  async close() {}

  private async answer(name: string, sql: string, params: unknown[], key: Buffer) {
    if (sql.startsWith("SHOW VSCHEMA")) return [{ Name: "xx", Columns: "key" }];
    if (name === "shards") return SHARDS.map((shard) => ({ Shards: `kv/${shard}` }));
    if (name === "vindex") {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(idOf(params[1] as Buffer));
      return [{ keyspace_id: bytes }];
    }
    const shard = shardOf(key);
    this.sent.push(`${name} ${shard}`);
    await sleep(10);
    if (this.failures-- > 0) throw new StoreError("unavailable", "no primary");
    const tag = this.tags[shard] as Tag;
    if (name === "create") this.marked.add(termOf(tag));
    if (name !== "look_at_term") return { insertId: tag, affectedRows: 1 };
    const server = `server ${termOf(tag)}`;
    const mark = { server, others: "", leaseMs: LEASE_MS };
    const facts = { tag, server, others: "", mark: null };
    return this.marked.has(termOf(tag)) ? [{ ...NO_FACTS, mark: Buffer.from(JSON.stringify(mark)) }, facts] : [facts];
  }
}

const KEY = keyIn("80-");
const TAG = FIRST + 100 * TERM;
const TIMES = { sentAtMs: 0, receivedAtMs: 0 };
const READ: Answered = { key: KEY, tags: [TAG], writes: false, isCommit: false, ...TIMES };
const WRITE: Answered = { ...READ, writes: true, isCommit: true };
const DELETION: Answered = { ...WRITE, tags: [] };

function isolate(database = new Fake()) {
  const invocations = new Invocations({ hash, leaseMs: LEASE_MS });
  const begin = () => {
    const fence = invocations.begin(database, "kv");
    return async (answer: Answered) => fence.pass(answer, performance.now() + 500);
  };
  return { invocations, database, begin };
}

test("a read is told after a commit in its shard, and a term that is marked is waited for by nobody", async () => {
  const { invocations, database, begin } = isolate();
  expect(invocations.shardOf(KEY)).toBe("");
  await begin()(READ);
  expect(database.sent).toEqual(["put 80-", "look_at_term 80-"]);
  expect(invocations.shardOf(KEY)).toBe("80-");
  // The term is known to be clear by now, and another invocation has a commit of its own.
  await begin()(READ);
  expect(database.sent.slice(2)).toEqual(["put 80-"]);
});

test("reads of an invocation share a commit that is sent after them", async () => {
  const { database, begin } = isolate();
  await begin()(READ);
  database.sent = [];
  const pass = begin();
  const reads = [pass(READ), pass(READ)];
  await sleep(5);
  expect(database.sent).toEqual(["put 80-"]);
  reads.push(pass(READ), pass(READ));
  await Promise.all(reads);
  expect(database.sent).toEqual(["put 80-", "put 80-"]);
});

test("what another primary has answered by then is not told", async () => {
  const { database, begin } = isolate();
  await begin()(READ);
  database.tags["80-"] = SECOND;
  await expect(begin()(READ)).rejects.toMatchObject({ code: "unavailable", reason: "another primary has answered" });
  // So too where the keys are of two shards.
  database.tags["80-"] = TAG;
  await expect(begin()({ ...READ, tags: [TAG, FIRST] })).rejects.toMatchObject({ code: "unavailable" });
});

test("a term that nobody has marked is waited for, and marked", async () => {
  const { database, begin } = isolate();
  database.marked.clear();
  const begun = performance.now();
  await begin()(READ);
  expect(performance.now() - begun).toBeGreaterThan(LEASE_MS);
  expect(database.sent.slice(-2)).toEqual(["create 80-", "look_at_term 80-"]);
  const { length } = database.sent;
  await begin()(WRITE);
  expect(database.sent.length).toBe(length);
});

test("a write is told at once where its term is known to be clear, and covers no read", async () => {
  const { database, begin } = isolate();
  const pass = begin();
  await pass(WRITE);
  expect(database.sent).toEqual(["look_at_term 80-"]);
  await pass(WRITE);
  expect(database.sent.length).toBe(1);
  await pass(READ);
  expect(database.sent.slice(1)).toEqual(["put 80-"]);
});

test("a deletion, which tells no tag, is confirmed by a commit after it", async () => {
  const { database, begin } = isolate();
  database.failures = 1;
  await begin()(DELETION);
  expect(database.sent).toEqual(["put 80-", "put 80-", "look_at_term 80-"]);
  database.failures = Number.POSITIVE_INFINITY;
  await expect(begin()(DELETION)).rejects.toMatchObject({ code: "outcome_unknown" });
});

test("a scan passes, and so does everything of a plain MySQL", async () => {
  const { database, begin } = isolate();
  await begin()({ ...READ, key: undefined });
  database.isMysql = true;
  for (const answer of [READ, WRITE, DELETION]) await begin()(answer);
  expect(database.sent).toEqual([]);
});
