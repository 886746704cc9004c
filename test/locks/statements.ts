// Every statement of the store on rows as it may find them, and the locks that it has taken at its end.

import { ENTRY } from "../../bench/store.ts";
import { type BatchingStore, batchingStore } from "../../src/batching/batching.ts";
import type { Database } from "../../src/database/connect.ts";
import { ExpiredRows } from "../../src/database/expired.ts";
import { ONE_SHARD } from "../../src/database/shards.ts";
import { Table } from "../../src/database/table.ts";
import type { EntryKey, NewEntry, Transaction } from "../../src/store/store.ts";
import { newVersion, type Version } from "../../src/store/version.ts";
import { type Lock, LockSession } from "./session.ts";

export interface Case {
  call: string;
  /** Of each statement that the call consists of. */
  statements: { name: string; rows: Lock[]; expiries: Lock[] }[];
}

/** What issues statements, through whichever database. */
export interface Subject {
  /** Calls of one turn are one batch. */
  store: BatchingStore;
  entries: Table;
  expired: ExpiredRows;
}

interface Prepared {
  keys: EntryKey[];
  /** Of their entries, if there are any. */
  versions: (Version | null)[];
}

type Call = (subject: Subject, prepared: Prepared) => Promise<unknown>;

export const DEADLINE_MS = 10_000;
export const later = () => performance.now() + DEADLINE_MS;
const WITH_TTL: NewEntry = { ...ENTRY, expiry: { afterMs: 3_600_000 } };
export const EXPIRED: NewEntry = { ...ENTRY, expiry: { atMs: 1 } };
const MINUTE = { afterMs: 60_000 };
const other = newVersion();

export function subjectOver(database: Database): Subject {
  const entries = new Table(database);
  const store = batchingStore(
    { ...ONE_SHARD, tableAt: () => entries, ping: async () => {} },
    {
      ...{ inFlight: { reads: 1, writes: 1 }, batchRows: 500, batchBytes: 1_000_000 },
      ...{ maxCalls: 1_000, maxBytes: 10_000_000, deadlineMs: DEADLINE_MS },
    },
  );
  return { store, entries, expired: new ExpiredRows(database) };
}

export const putAll = ({ store }: Subject, keys: EntryKey[], entry: NewEntry) =>
  Promise.all(keys.map((key) => store.put(key, entry)));

/** Gives each entry another value, and makes those that are not there. */
export const REWRITE: Transaction<null> = {
  bytes: 0,
  apply: (found) => ({ entries: found.map(() => ({ content: ENTRY, expiresAtMs: null })), answer: null }),
};
/** Changes the first entry alone, and has the others read. */
const REWRITE_FIRST: Transaction<null> = {
  bytes: 0,
  apply: (found) => ({ entries: found.with(0, { content: ENTRY, expiresAtMs: null }), answer: null }),
};

const first = ({ keys }: Prepared) => keys[0] as EntryKey;
const ofFirst = ({ versions }: Prepared) => [versions[0] as Version];
/** A call on each of the keys. */
const each =
  (work: (store: BatchingStore, key: EntryKey, version: Version) => Promise<unknown>): Call =>
  ({ store }, { keys, versions }) =>
    Promise.all(keys.map((key, i) => work(store, key, versions[i] as Version)));

const LOST = "PUTs of three keys whose answer is lost";

/** Calls that are to take no locks at all. */
export const READS = ["GET of one key", "HEAD and ttl of one key", "GETs of three keys"];

/** Of each call: what is there before, and the call. */
const CALLS: [string, NewEntry | undefined, Call][] = [
  ["GET of one key", WITH_TTL, ({ store }, rows) => store.get(first(rows))],
  ["HEAD and ttl of one key", WITH_TTL, ({ store }, rows) => store.head(first(rows))],
  ["GETs of three keys", WITH_TTL, each((store, key) => store.get(key))],
  ["GET of a key that has expired", EXPIRED, ({ store }, rows) => store.get(first(rows))],
  ["GETs of three keys that have expired", EXPIRED, each((store, key) => store.get(key))],
  ["PUT of a new key", undefined, ({ store }, rows) => store.put(first(rows), ENTRY)],
  ["PUT of a new key with a TTL", undefined, ({ store }, rows) => store.put(first(rows), WITH_TTL)],
  ["PUT that replaces", ENTRY, ({ store }, rows) => store.put(first(rows), ENTRY)],
  ["PUT that replaces, with another TTL", WITH_TTL, ({ store }, rows) => store.put(first(rows), WITH_TTL)],
  ["PUTs of three keys", WITH_TTL, each((store, key) => store.put(key, WITH_TTL))],
  [LOST, ENTRY, each((store, key) => store.put(key, ENTRY))],
  [
    "PUT, create-only, of a new key",
    undefined,
    ({ store }, rows) => store.put(first(rows), ENTRY, { ifNoneMatch: "*" }),
  ],
  [
    "PUTs, create-only, of three new keys",
    undefined,
    each((store, key) => store.put(key, ENTRY, { ifNoneMatch: "*" })),
  ],
  [
    "PUTs, create-only, of three keys that are there",
    ENTRY,
    each((store, key) => store.put(key, ENTRY, { ifNoneMatch: "*" })),
  ],
  ["PUT with If-Match", ENTRY, ({ store }, rows) => store.put(first(rows), ENTRY, { ifMatch: ofFirst(rows) })],
  [
    "PUTs with If-Match of three keys",
    ENTRY,
    each((store, key, version) => store.put(key, ENTRY, { ifMatch: [version] })),
  ],
  ["PUT with If-Match that fails", ENTRY, ({ store }, rows) => store.put(first(rows), ENTRY, { ifMatch: [other] })],
  ["DELETE", WITH_TTL, ({ store }, rows) => store.delete(first(rows))],
  ["DELETEs of three keys", WITH_TTL, each((store, key) => store.delete(key))],
  ["DELETE of a key that is not there", undefined, ({ store }, rows) => store.delete(first(rows))],
  ["DELETE with If-Match", ENTRY, ({ store }, rows) => store.delete(first(rows), ofFirst(rows))],
  ["DELETEs with If-Match of three keys", WITH_TTL, each((store, key, version) => store.delete(key, [version]))],
  ["PUT ttl", WITH_TTL, ({ store }, rows) => store.expire(first(rows), MINUTE)],
  ["PUT ttl of three keys", ENTRY, each((store, key) => store.expire(key, MINUTE))],
  [
    "PUT ttl with a condition that fails",
    WITH_TTL,
    ({ store }, rows) => store.expire(first(rows), MINUTE, { if: "nx" }),
  ],
  ["DELETE ttl", WITH_TTL, ({ store }, rows) => store.persist(first(rows))],
  ["transaction of three keys", WITH_TTL, ({ store }, { keys }) => store.transact(keys, REWRITE)],
  ["transaction of three new keys", undefined, ({ store }, { keys }) => store.transact(keys, REWRITE)],
  ["transaction that changes one of three keys", ENTRY, ({ store }, { keys }) => store.transact(keys, REWRITE_FIRST)],
  ["transaction that makes one of three keys", undefined, ({ store }, { keys }) => store.transact(keys, REWRITE_FIRST)],
  ["transaction of three keys that have expired", EXPIRED, ({ store }, { keys }) => store.transact(keys, REWRITE)],
  ["sweep: look for expired rows", EXPIRED, ({ expired }) => expired.find(10, null, later())],
  ["sweep: count expired rows", EXPIRED, ({ expired }) => expired.count(10, later())],
  ["sweep: delete three expired rows", EXPIRED, ({ expired }, { keys }) => expired.reclaim(keys, later())],
  [
    "sweep: the same, but they were extended meanwhile",
    WITH_TTL,
    ({ expired }, { keys }) => expired.reclaim(keys, later()),
  ],
];

/** `keys` are three; their rows are gone afterwards. */
export async function measureStatements(mysqlSocket: string, keys: EntryKey[]): Promise<Case[]> {
  const session = await LockSession.open(mysqlSocket, keys);
  const subject = subjectOver(session);
  const clear = () => Promise.all(keys.map((key) => subject.store.delete(key)));
  const cases: Case[] = [];
  try {
    for (const [call, entry, run] of CALLS) {
      await clear();
      const versions = entry ? await putAll(subject, keys, entry) : [];
      session.runs.length = 0;
      session.losesAnswer = call === LOST;
      await run(subject, { keys, versions });
      const statements = session.runs.map(({ name, locks }) => ({
        name,
        rows: locks.filter(({ index }) => index === "PRIMARY"),
        expiries: locks.filter(({ index }) => index !== "PRIMARY"),
      }));
      cases.push({ call, statements });
    }
    await clear();
  } finally {
    await session.close();
  }
  return cases;
}

export function locksIn(cases: Case[]): Lock[] {
  return cases.flatMap(({ statements }) => statements).flatMap(({ rows, expiries }) => [...rows, ...expiries]);
}

/** Whether it locks more than a row. */
export function isGap({ mode }: Lock): boolean {
  return !mode.includes("REC_NOT_GAP");
}
