// In which order a statement of many rows locks them: through vtgate, while another session holds the row in the middle.

import type { Connection } from "mysql2/promise";
import { ENTRY } from "../../bench/store.ts";
import { connect } from "../../src/database/connect.ts";
import type { Change } from "../../src/database/statements.ts";
import type { EntryKey, NewEntry } from "../../src/store/store.ts";
import { newRevision, newVersion } from "../../src/store/version.ts";
import { until } from "../../vitess/support/until.ts";
import { type Lock, lockDataOf, locksOn, openSession } from "./session.ts";
import { DEADLINE_MS, EXPIRED, later, putAll, REWRITE, type Subject, subjectOver } from "./statements.ts";

export interface Order {
  statement: string;
  /** Places of the rows in the order of their keys, from 0 on. */
  locked: number[];
  waitsFor: number[];
}

type Call = (subject: Subject, keys: EntryKey[]) => Promise<unknown>;

const each =
  (work: (store: Subject["store"], key: EntryKey) => Promise<unknown>): Call =>
  ({ store }, keys) =>
    Promise.all(keys.map((key) => work(store, key)));
const creation = (key: EntryKey): Change => ({
  ...{ key, guard: null, revision: newRevision(newVersion()), expiresAtMs: null },
  content: ENTRY,
});

/** Of each statement of many rows: what is there before, and the call. */
const STATEMENTS: [string, NewEntry, Call][] = [
  ["put", ENTRY, each((store, key) => store.put(key, ENTRY))],
  ["delete", ENTRY, each((store, key) => store.delete(key))],
  ["replace", ENTRY, each((store, key) => store.put(key, ENTRY, { ifMatch: "*" }))],
  ["touch", ENTRY, each((store, key) => store.expire(key, { afterMs: 60_000 }))],
  ["update together", ENTRY, ({ store }, keys) => store.transact(keys, REWRITE)],
  // Rows that it takes for absent and that have come meanwhile.
  ["create", ENTRY, ({ entries }, keys) => entries.change(keys.map(creation), later())],
  ["reclaim", EXPIRED, ({ expired }, keys) => expired.reclaim(keys, later())],
];

/** `keys` are of one shard, whose primary has the socket, and in order; the calls have them the other way round. */
export function measureOrder(url: string, mysqlSocket: string, keys: EntryKey[]): Promise<Order[]> {
  return whileHeld({ url, mysqlSocket, keys, called: keys.toReversed() }, async (statement, holder) => ({
    statement,
    ...(await placesOf(holder, middleOf(keys), keys)),
  }));
}

/**
 * Names of the statements of many rows that wait for a row that is none of theirs: all keys but the one in the middle, in a
 * table that has hardly any others, so that reading it as a whole would be the shortest way.
 */
export async function measureOthers(url: string, mysqlSocket: string, keys: EntryKey[]): Promise<string[]> {
  const called = keys.toSpliced(middleOf(keys), 1);
  const waited = await whileHeld({ url, mysqlSocket, keys, called }, async (statement, _, calling) => {
    // A sweep that waits for the row with others locked gives up long before the call would.
    const waits = await calling.then(
      () => false,
      () => true,
    );
    return waits ? [statement] : [];
  });
  return waited.flat();
}

interface Held {
  /** Leads to their shard. */
  url: string;
  mysqlSocket: string;
  /** Of the rows that are there. */
  keys: EntryKey[];
  /** Those that the statements are about. */
  called: EntryKey[];
}

/** Begins each statement through vtgate while another session holds the row in the middle, and looks what comes of it. */
async function whileHeld<T>(
  { url, mysqlSocket, keys, called }: Held,
  look: (statement: string, holder: Connection, calling: Promise<unknown>) => Promise<T>,
): Promise<T[]> {
  const database = connect({ url, backend: "vitess", connections: 1, queueLimit: 10, packets: true });
  const subject = subjectOver(database);
  const holder = await openSession(mysqlSocket);
  const seen: T[] = [];
  try {
    for (const [statement, entry, call] of STATEMENTS) {
      await putAll(subject, keys, entry);
      await holder.beginTransaction();
      await holder.query("SELECT 1 FROM entries WHERE `key` = ? FOR UPDATE", [keys[middleOf(keys)]]);
      const calling = call(subject, called);
      seen.push(await look(statement, holder, calling));
      await holder.rollback();
      await calling.catch(() => {});
    }
    await Promise.all(keys.map((key) => subject.store.delete(key)));
  } finally {
    holder.destroy();
    await database.close();
  }
  return seen;
}

function middleOf(keys: EntryKey[]): number {
  return Math.floor(keys.length / 2);
}

/** Of the transaction that waits for the row that is held, once there is one: a sweep may be at the same rows. */
async function placesOf(holder: Connection, held: number, keys: EntryKey[]): Promise<Omit<Order, "statement">> {
  const heldData = lockDataOf(keys[held] as EntryKey);
  let locks: Lock[] = [];
  await until(DEADLINE_MS, undefined, "Nobody waits for the row", async () => {
    const all = (await locksOn(holder, keys)).filter(({ index }) => index === "PRIMARY");
    const waiting = all.find(({ status, data }) => status === "WAITING" && data === heldData);
    locks = all.filter(({ transaction }) => transaction === waiting?.transaction);
    return waiting !== undefined;
  });
  const places = (wanted: Lock["status"]) =>
    keys.flatMap((key, i) =>
      locks.some(({ data, status }) => status === wanted && data === lockDataOf(key)) ? [i] : [],
    );
  return { locked: places("GRANTED"), waitsFor: places("WAITING") };
}

/** Whether it waits for the row in the middle with all those before it locked, and none of those behind. */
export function isInOrder({ locked, waitsFor }: Order): boolean {
  return waitsFor.length === 1 && locked.length === waitsFor[0] && locked.every((place, i) => place === i);
}
