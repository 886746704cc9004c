// Deadlocks: the one that a sweep in a single statement would run into, and the one that no order of locks prevents.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { directStore } from "../src/batching/direct.ts";
import { connect, type Database } from "../src/database/connect.ts";
import { Table } from "../src/database/table.ts";
import { entryKey, keyName } from "../src/store/store.ts";
import { newRevision, newVersion } from "../src/store/version.ts";
import { targets, until } from "./targets.ts";

const { databaseUrl, socket } = targets.mysql;
const WRITERS = 30;
const SEARCH_MS = 20_000;
const DEADLINE_MS = 10_000;
const CONTENT = { value: Buffer.from("v"), contentType: "text/plain", metadata: null };

let root: Connection;
let database: Database;
async function open(): Promise<Connection> {
  const session = await createConnection({ socketPath: socket, user: "root", database: "kv" });
  await session.query("SET SESSION transaction_isolation = 'READ-COMMITTED'");
  return session;
}
beforeAll(async () => {
  root = await open();
  database = connect({ url: databaseUrl, backend: "mysql", connections: WRITERS, queueLimit: WRITERS });
});
afterAll(async () => {
  root?.destroy();
  await database?.close();
});

const count = async (sql: string) => Number((await root.query<RowDataPacket[]>(sql))[0][0]?.n);
const deadlocks = () =>
  count("SELECT `count` AS n FROM information_schema.INNODB_METRICS WHERE name = 'lock_deadlocks'");
const waiting = () => count("SELECT COUNT(*) AS n FROM performance_schema.data_locks WHERE LOCK_STATUS = 'WAITING'");

test("rows found by the index of expiries and rows found by their keys are locked in opposite orders", async () => {
  const [sweep, upsert] = await Promise.all([open(), open()]);
  const key = entryKey("deadlock", "expired");
  await directStore(new Table(database), DEADLINE_MS).put(key, { ...CONTENT, expiry: { atMs: 1 } });
  try {
    // An upsert that changes an expiry does this in one statement: it locks the row, and then its entry in the index.
    await upsert.beginTransaction();
    await upsert.query("SELECT 1 FROM entries WHERE `key` = ? FOR UPDATE", [key]);
    const deleted = sweep.query("DELETE FROM entries WHERE expires_at <= 1 ORDER BY expires_at LIMIT 1").then(
      () => "done",
      (error) => error.code,
    );
    await until(async () => (await waiting()) > 0, "the sweep waits for the row");
    const updated = upsert.query("UPDATE entries SET expires_at = 2 WHERE `key` = ?", [key]).then(
      () => "done",
      (error) => error.code,
    );
    const outcomes = [await deleted, await updated];
    expect(outcomes.sort()).toEqual(["ER_LOCK_DEADLOCK", "done"]);
  } finally {
    await upsert.rollback();
    for (const session of [sweep, upsert]) session.destroy();
  }
});

// A statement that waited for a row, which was deleted meanwhile and then purged before the statement goes on, is given a
// lock on the gap that the row has left: in an upsert's case also under READ COMMITTED (InnoDB's lock_rec_inherit_to_gap).
// Of two such, each may keep the other from inserting.
test("writers of neighbouring keys that are deleted under their hands are all done, whatever InnoDB makes of it", async () => {
  const table = new Table(database);
  const store = directStore(table, DEADLINE_MS);
  const keys = Array.from({ length: WRITERS }, (_, i) => entryKey("deadlock", String(i).padStart(3, "0")));
  const before = await deadlocks();
  const end = Date.now() + SEARCH_MS;
  // On most machines there is one within seconds; what a caller sees is the same either way.
  while ((await deadlocks()) === before && Date.now() < end) {
    await table.put(
      keys.map((key) => ({ key, revision: newRevision(newVersion()), expiry: "never" as const, content: CONTENT })),
      performance.now() + DEADLINE_MS,
    );
    await root.beginTransaction();
    await root.query("DELETE FROM entries WHERE `key` IN (?)", [keys]);
    const writes = keys.map((key) => store.put(key, { ...CONTENT, expiry: "never" }));
    while ((await waiting()) < WRITERS);
    await root.commit();
    const versions = await Promise.all(writes);
    const found = await table.read("infos", keys, performance.now() + DEADLINE_MS);
    expect(keys.map((key) => found.get(keyName(key)))).toEqual(
      versions.map((version) => expect.objectContaining({ version })),
    );
  }
}, 60_000);
