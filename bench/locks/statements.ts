// Every statement of the store on rows as it may find them, and the locks that it has taken at its end.

import { SqlStore } from "../../src/store/sql.ts";
import { type EntryKey, type NewEntry, newVersion, type Version } from "../../src/store/store.ts";
import { table } from "../report.ts";
import { ENTRY } from "../store.ts";
import { type Lock, LockSession } from "./session.ts";

export interface Case {
  call: string;
  /** Of each statement that the call consists of. */
  statements: { name: string; rows: Lock[]; expiries: Lock[] }[];
}

interface Prepared {
  keys: EntryKey[];
  /** Of the first key's entry. */
  version: Version;
}

type Call = (store: SqlStore, prepared: Prepared) => Promise<unknown>;

export const DEADLINE_MS = 10_000;
export const later = () => performance.now() + DEADLINE_MS;
const WITH_TTL: NewEntry = { ...ENTRY, expiry: { afterMs: 3_600_000 } };
export const EXPIRED: NewEntry = { ...ENTRY, expiry: { atMs: 1 } };
const other = newVersion();

export const puts = (keys: EntryKey[], entry: NewEntry) => keys.map((key) => ({ key, version: newVersion(), entry }));
const first = ({ keys }: Prepared) => keys[0] as EntryKey;

const LOST = "PUTs of three keys whose answer is lost";

/** Calls that are to take no locks at all. */
export const READS = ["GET, HEAD and ttl of one key", "GETs of three keys"];

/** Of each call: what is there before, and the call. */
const CALLS: [string, NewEntry | undefined, Call][] = [
  ["GET, HEAD and ttl of one key", WITH_TTL, (store, rows) => store.get(first(rows))],
  ["GETs of three keys", WITH_TTL, (store, { keys }) => store.getMany(keys, later())],
  ["GET of a key that has expired", EXPIRED, (store, rows) => store.get(first(rows))],
  ["GETs of three keys that have expired", EXPIRED, (store, { keys }) => store.confirmMany(keys, later())],
  ["PUT of a new key", undefined, (store, rows) => store.put(first(rows), ENTRY)],
  ["PUT of a new key with a TTL", undefined, (store, rows) => store.put(first(rows), WITH_TTL)],
  ["PUT that replaces", ENTRY, (store, rows) => store.put(first(rows), ENTRY)],
  ["PUT that replaces, with another TTL", WITH_TTL, (store, rows) => store.put(first(rows), WITH_TTL)],
  ["PUTs of three keys", WITH_TTL, (store, { keys }) => store.putMany(puts(keys, WITH_TTL), later())],
  [LOST, ENTRY, (store, { keys }) => store.putMany(puts(keys, ENTRY), later())],
  ["PUT, create-only, of a new key", undefined, (store, rows) => store.put(first(rows), ENTRY, { ifNoneMatch: "*" })],
  [
    "PUT, create-only, of a key that is there",
    ENTRY,
    (store, rows) => store.put(first(rows), ENTRY, { ifNoneMatch: "*" }),
  ],
  ["PUT with If-Match", ENTRY, (store, rows) => store.put(first(rows), ENTRY, { ifMatch: [rows.version] })],
  ["PUT with If-Match that fails", ENTRY, (store, rows) => store.put(first(rows), ENTRY, { ifMatch: [other] })],
  ["DELETE", WITH_TTL, (store, rows) => store.delete(first(rows))],
  ["DELETEs of three keys", WITH_TTL, (store, { keys }) => store.deleteMany(keys, later())],
  ["DELETE of a key that is not there", undefined, (store, rows) => store.delete(first(rows))],
  ["DELETE with If-Match", ENTRY, (store, rows) => store.delete(first(rows), [rows.version])],
  ["PUT ttl", WITH_TTL, (store, rows) => store.expire(first(rows), { afterMs: 1000 })],
  [
    "PUT ttl with a condition that fails",
    WITH_TTL,
    (store, rows) => store.expire(first(rows), { afterMs: 1000 }, { if: "nx" }),
  ],
  ["DELETE ttl", WITH_TTL, (store, rows) => store.persist(first(rows))],
  ["sweep: look for expired rows", EXPIRED, (store) => store.findExpired(10, null, later())],
  ["sweep: count expired rows", EXPIRED, (store) => store.countExpired(10, later())],
  ["sweep: delete three expired rows", EXPIRED, (store, { keys }) => store.reclaim(keys, later())],
  ["sweep: the same, but they were extended meanwhile", WITH_TTL, (store, { keys }) => store.reclaim(keys, later())],
];

/** `keys` are three; their rows are gone afterwards. */
export async function measureStatements(mysqlSocket: string, keys: EntryKey[]): Promise<Case[]> {
  const session = await LockSession.open(mysqlSocket, keys);
  const store = new SqlStore(session, { deadlineMs: DEADLINE_MS });
  const cases: Case[] = [];
  try {
    for (const [call, entry, run] of CALLS) {
      await store.deleteMany(keys, later());
      const before = entry ? puts(keys, entry) : [];
      if (before.length > 0) await store.putMany(before, later());
      session.runs.length = 0;
      session.losesAnswer = call === LOST;
      await run(store, { keys, version: before[0]?.version ?? other });
      const statements = session.runs.map(({ name, locks }) => ({
        name,
        rows: locks.filter(({ index }) => index === "PRIMARY"),
        expiries: locks.filter(({ index }) => index !== "PRIMARY"),
      }));
      cases.push({ call, statements });
    }
    await store.deleteMany(keys, later());
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

export function statementTable(cases: Case[]): string {
  return table(
    ["Call", "statement", "locks on rows", "on entries of the index of expiries"],
    cases.flatMap(({ call, statements }) =>
      statements.map(({ name, rows, expiries }, i) => [
        i === 0 ? call : "",
        `\`${name}\``,
        counted(rows),
        counted(expiries),
      ]),
    ),
  );
}

/** `3 X` for three exclusive locks of rows alone. */
function counted(locks: Lock[]): string {
  const modes = Map.groupBy(locks, ({ mode }) => mode.replace(",REC_NOT_GAP", ""));
  return [...modes].map(([mode, { length }]) => `${length} ${mode}`).join(", ") || "none";
}
