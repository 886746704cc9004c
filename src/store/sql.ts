// The only file that issues SQL on entries: one named statement per operation, each in one shard.
//
// Time. SYSDATE, unlike NOW, is read while the statement holds the row's lock, not when it begins to wait for it.
// So a writer never revives an entry that a reader has already found expired: see `isPast`.
// An assignment list evaluates the clock at most once per decision: two readings may fall on either side of an expiry.
//
// Assignments in UPDATE and ON DUPLICATE KEY UPDATE happen from left to right, and later ones see the earlier.

import { setTimeout as sleep } from "node:timers/promises";
import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { MySqlDialect } from "drizzle-orm/mysql-core";
import type { Database, Rows, Statement, Written } from "../database/connect.ts";
import { entries } from "../database/schema.ts";
import { BATCH_READ_BYTES } from "../limits.ts";
import { StoreError } from "./error.ts";
import {
  type BatchStore,
  type Condition,
  type Entry,
  type EntryInfo,
  type EntryKey,
  type ExpireCondition,
  type ExpiredKey,
  type ExpiredStore,
  type ExpireResult,
  type ExpiryTime,
  keyName,
  type NewEntry,
  type NewExpiry,
  newVersion,
  type Put,
  type Version,
} from "./store.ts";

const dialect = new MySqlDialect();
const { key, version, expiresAt, contentType, metadata, value } = entries;

/** Epoch milliseconds by the clock of the shard's primary. */
const now = sql`CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)`;
/** The same as read once at the beginning of a statement: where MySQL shall look it up in the index. It decides nothing. */
const nowOnce = sql`CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)`;
const isLive = sql`(${expiresAt} IS NULL OR ${expiresAt} > ${now})`;
const isExpired = sql`${expiresAt} <= ${now}`;

/**
 * `insertId` of a statement that found its entry but not its condition; no expiry is that early. The number of affected
 * rows would not tell: whether one that was matched and left as it was counts is up to MySQL's client, and that may be
 * a proxy with a mind of its own.
 */
const CONDITION_FAILED = 1;
/** Added to a remaining time, so that it differs from "no such row" (0) and CONDITION_FAILED. */
const TTL_OFFSET = 2;

/** Whoever asks for a sign of life wants to know now. */
const PING_MS = 2_000;

const RETRY_DELAY_MS = { first: 10, most: 250 };

/** Before each look for what a lost statement has done: it is under way, or cut off with whom it was sent through. */
const LOOK_AGAIN_MS = [0, 50, 200, 500];

export interface SqlStoreOptions {
  /** Bounds every call, with its retries and its wait for a connection. */
  deadlineMs: number;
}

export class SqlStore implements BatchStore, ExpiredStore {
  constructor(
    private readonly database: Database,
    private readonly options: SqlStoreOptions,
  ) {}

  async get(entry: EntryKey, deadline = this.deadline()): Promise<Entry | null> {
    const row = await this.read(entry, SELECT_ENTRY, deadline);
    return row && entryOf(row);
  }

  async getMany(keys: EntryKey[], deadline: number): Promise<Map<string, Entry | "expired" | "large">> {
    const valueBytes = Math.floor(BATCH_READ_BYTES / keys.length);
    const { sql: select, params } = withKeys(SELECT_PREFIX, keys);
    // One byte more tells a value that was cut off from one that just fits.
    const rows = await this.run<Rows>("get", false, { sql: select, params: [valueBytes + 1, ...params] }, deadline);
    const found = new Map<string, Entry | "expired" | "large">();
    for (const row of rows) {
      const isLarge = row.value.length > valueBytes;
      found.set(keyName(row.id), isPast(row) ? "expired" : isLarge ? "large" : entryOf(row));
    }
    return found;
  }

  async confirmMany(keys: EntryKey[], deadline: number): Promise<Map<string, Entry | null>> {
    const locking = withKeys(SELECT_ENTRY, keys.toSorted(Buffer.compare), " FOR SHARE SKIP LOCKED");
    const rows = await this.run<Rows>("get_locked", false, locking, deadline);
    const [past, live] = [rows.filter(isPast), rows.filter((row) => !isPast(row))];
    const found = new Map<string, Entry | null>(live.map((row) => [keyName(row.id), entryOf(row)]));
    if (past.length === 0) return found;
    const reclaimed = await this.reclaim(
      past.map((row) => row.id),
      deadline,
    );
    if (reclaimed === past.length) for (const row of past) found.set(keyName(row.id), null);
    return found;
  }

  async head(entry: EntryKey, deadline = this.deadline()): Promise<EntryInfo | null> {
    const row = await this.read(entry, SELECT_INFO, deadline);
    return row && infoOf(row, row.value_bytes);
  }

  async put(
    entry: EntryKey,
    next: NewEntry,
    condition: Condition = {},
    deadline = this.deadline(),
  ): Promise<Version | null> {
    const put = { key: entry, version: newVersion(), entry: next };
    const applied = condition.ifMatch
      ? await this.replace("put", put, updateStatement(put, condition), condition, deadline)
      : await this.upsert([put], condition, deadline);
    return applied ? put.version : null;
  }

  async putMany(puts: Put[], deadline: number): Promise<void> {
    await this.upsert(
      puts.toSorted((a, b) => Buffer.compare(a.key, b.key)),
      {},
      deadline,
    );
  }

  async delete(entry: EntryKey, ifMatch?: Condition["ifMatch"], deadline = this.deadline()): Promise<boolean> {
    if (ifMatch !== undefined) {
      return this.replace("delete", { key: entry }, deleteStatement(entry, ifMatch), { ifMatch }, deadline);
    }
    await this.deleteMany([entry], deadline);
    return true;
  }

  async deleteMany(keys: EntryKey[], deadline: number): Promise<void> {
    await this.write("delete", withKeys(DELETE, keys.toSorted(Buffer.compare)), deadline);
  }

  async expire(
    entry: EntryKey,
    expiry: ExpiryTime,
    condition: ExpireCondition = {},
    deadline = this.deadline(),
  ): Promise<ExpireResult> {
    const insertId = await this.change("expire", entry, expireStatement(entry, expiry, condition), deadline);
    if (insertId === 0) return { outcome: "absent" };
    if (insertId === CONDITION_FAILED) return { outcome: "condition_failed" };
    return "afterMs" in expiry
      ? { outcome: "set", atMs: insertId, ttlMs: expiry.afterMs }
      : { outcome: "set", atMs: expiry.atMs, ttlMs: insertId - TTL_OFFSET };
  }

  async persist(entry: EntryKey, deadline = this.deadline()): Promise<boolean> {
    return (await this.change("persist", entry, persistStatement(entry), deadline)) !== 0;
  }

  async findExpired(limit: number, after: ExpiredKey | null, deadline: number): Promise<ExpiredKey[]> {
    const statement = expiredStatement(limit, after);
    const rows = await this.run<Rows>("find_expired", false, statement, deadline);
    return rows.map((row) => ({ key: row.id, atMs: row.expires_at, ageMs: row.age_ms }));
  }

  async countExpired(limit: number, deadline: number): Promise<number> {
    const count = sql`SELECT COUNT(*) AS count FROM (SELECT 1 FROM ${entries} WHERE ${expiresAt} <= ${nowOnce} LIMIT ${limit}) AS found`;
    const [row] = await this.run<Rows>("count_expired", false, count, deadline);
    return Number(row?.count);
  }

  async reclaim(keys: EntryKey[], deadline: number): Promise<number> {
    // Expired is what is expired while its row is locked, by a clock that keeps MySQL from finding the rows by the
    // index on it: they are locked in the order of their keys, as by everyone else. If the answer is lost, nothing is:
    // what is expired may be deleted twice.
    const reclaim = withKeys(RECLAIM, keys.toSorted(Buffer.compare), ` AND ${IS_EXPIRED}`);
    const { affectedRows } = await this.run<Written>("reclaim", false, reclaim, deadline);
    return affectedRows;
  }

  async ping(): Promise<void> {
    const select = sql`SELECT ${expiresAt} FROM ${entries} WHERE ${key} = ${Buffer.of()}`;
    await this.run<Rows>("ping", false, select, performance.now() + Math.min(PING_MS, this.options.deadlineMs));
  }

  /** The row if it lives. */
  private async read(entry: EntryKey, select: string, deadline: number): Promise<Rows[number] | null> {
    for (;;) {
      const [row] = await this.run<Rows>("get", false, withKeys(select, [entry]), deadline);
      if (!row || !isPast(row)) return row ?? null;
      await this.reclaim([entry], deadline);
    }
  }

  /** Whether the entries were written: not if the condition, which is for a single one, does not hold. */
  private async upsert(puts: Put[], condition: Condition, deadline: number): Promise<boolean> {
    try {
      const { insertId } = await this.write("put", upsertStatement(puts, condition), deadline);
      return insertId !== CONDITION_FAILED;
    } catch (error) {
      if (isUnknown(error) && (await this.wasWritten(puts, deadline).catch(() => false))) return true;
      throw error;
    }
  }

  /**
   * Whether a statement whose answer was lost can be seen to have written the entries. One of them is proof for all,
   * for the statement was applied as a whole; none proves nothing. It is asked with locks, so as to wait for the
   * statement if it is still at work, and not only once, for it may not have begun.
   */
  private async wasWritten(puts: Put[], deadline: number): Promise<boolean> {
    const keys = puts.map((put) => put.key);
    const versions = new Set(puts.map((put) => put.version));
    for (const pauseMs of LOOK_AGAIN_MS) {
      await sleep(pauseMs);
      const rows = await this.run<Rows>("get_version", false, withKeys(SELECT_VERSION, keys, " FOR SHARE"), deadline);
      if (rows.some((row) => versions.has(hexOf(row.version)))) return true;
    }
    return false;
  }

  /**
   * Runs a statement that is for an entry of one of the wanted versions only, and says whether it was applied. Where
   * these are named, losing its answer is no reason not to send it again: a version that was replaced never comes
   * back, so it can't be applied twice. If it then fails, it may have been applied before: the version that it gives
   * the entry may still be there to prove it.
   */
  private async replace(
    name: string,
    { key: entry, version: given }: { key: EntryKey; version?: Version },
    statement: SQL,
    { ifMatch = "*", ifNoneMatch = [] }: Condition,
    deadline: number,
  ): Promise<boolean> {
    let lost: StoreError | undefined;
    for (;;) {
      const tried = await this.write(name, statement, deadline).catch((error) => {
        if (ifMatch === "*" || !isUnknown(error) || performance.now() >= deadline) throw lost ?? error;
        return error as StoreError;
      });
      if (tried instanceof StoreError) {
        lost = tried;
        await sleep(RETRY_DELAY_MS.first);
        continue;
      }
      if (tried.affectedRows > 0) return true;
      const found = await this.head(entry, deadline).catch((error) => {
        throw lost ?? error;
      });
      if (found && found.version === given) return true;
      if (lost) throw lost;
      if (!found || !includes(ifMatch, found.version) || includes(ifNoneMatch, found.version)) return false;
    }
  }

  /** Runs a statement on a live entry and returns its `insertId`, which is 0 if there is none. */
  private async change(name: string, entry: EntryKey, statement: SQL, deadline: number): Promise<number> {
    for (;;) {
      const { insertId } = await this.write(name, statement, deadline);
      if (insertId !== 0 || !(await this.head(entry, deadline))) return insertId;
    }
  }

  private deadline(): number {
    return performance.now() + this.options.deadlineMs;
  }

  private write(name: string, statement: SQL | Text, deadline: number): Promise<Written> {
    return this.run<Written>(name, true, statement, deadline);
  }

  /** Runs a statement, again while it surely changed nothing and the deadline allows. */
  private async run<T extends Rows | Written>(
    name: string,
    writes: boolean,
    query: SQL | Text,
    deadline: number,
  ): Promise<T> {
    const statement: Statement = { name, writes, ...("params" in query ? query : dialect.sqlToQuery(query)) };
    for (let delayMs = RETRY_DELAY_MS.first; ; delayMs = Math.min(2 * delayMs, RETRY_DELAY_MS.most)) {
      try {
        return await this.database.execute<T>(statement, deadline - performance.now());
      } catch (error) {
        const pauseMs = delayMs * (0.5 + Math.random());
        const again = error instanceof StoreError && error.code === "unavailable";
        if (!again || performance.now() + pauseMs >= deadline) throw error;
        await sleep(pauseMs);
      }
    }
  }
}

/**
 * Whether a row reads as expired. Nobody is told so before the row is gone, on a second disk too, because it could come
 * back: it may be in the middle of being extended, by a statement that judged it in time, holds its lock and has not
 * committed; and the next primary's clock may be behind. So whoever finds it reclaims it, which waits for that writer
 * and judges again, and then looks again. Only expired rows that are not reclaimed yet cost this.
 */
function isPast(row: Rows[number]): boolean {
  return row.ttl_ms !== null && row.ttl_ms <= 0;
}

/** A statement as text with its parameters: for those of many rows, whose building would cost more than their sending. */
interface Text {
  sql: string;
  params: unknown[];
}

/** A part of a statement that never changes. */
function text(part: SQL): string {
  return dialect.sqlToQuery(part).sql;
}

const infoColumns = sql.join(
  [
    sql`${version} AS version`,
    sql`${contentType} AS content_type`,
    sql`${metadata} AS metadata`,
    sql`${expiresAt} AS expires_at`,
    sql`${expiresAt} - ${now} AS ttl_ms`,
  ],
  sql`, `,
);

/**
 * MySQL reads a small table as a whole rather than look up many keys, and a statement that locks would then wait for
 * other writers' rows. Vitess passes this on.
 */
const BY_KEY = sql.raw("/*+ INDEX(entries PRIMARY) */");

const SELECT_VERSION = text(sql`SELECT ${BY_KEY} ${version} AS version FROM ${entries} WHERE ${key}`);
const SELECT_INFO = text(sql`SELECT ${infoColumns}, LENGTH(${value}) AS value_bytes FROM ${entries} WHERE ${key}`);
const selectEntry = (wanted: SQL) =>
  text(sql`SELECT ${BY_KEY} ${key} AS id, ${infoColumns}, ${wanted} AS value FROM ${entries} WHERE ${key}`);
const SELECT_ENTRY = selectEntry(sql`${value}`);
/** Its first parameter says how many bytes of the value are wanted. */
const SELECT_PREFIX = selectEntry(sql`LEFT(${value}, ${sql.raw("?")})`);
const DELETE = text(sql`DELETE ${BY_KEY} FROM ${entries} WHERE ${key}`);
const NOW = text(now);
/** Where its keys are of several shards after all, each of these commits for itself: no lock outlives its statement. */
const RECLAIM = text(sql`DELETE ${BY_KEY} /*vt+ MULTI_SHARD_AUTOCOMMIT=1 */ FROM ${entries} WHERE ${key}`);
const IS_EXPIRED = text(isExpired);

/** A statement about the keys. One that locks must name them in their order, which is everyone's. */
function withKeys(head: string, keys: EntryKey[], tail = ""): Text {
  if (keys.length === 1) return { sql: `${head} = ?${tail}`, params: keys };
  return { sql: `${head} IN (${marks(keys.length)})${tail}`, params: keys };
}

/**
 * From the index alone, which holds the keys too. Rows already reclaimed stay in it for a while, until they are purged:
 * beginning after the last one found spares going through all of them again and again.
 */
function expiredStatement(limit: number, after: ExpiredKey | null): SQL {
  const past = sql`${expiresAt} <= ${nowOnce}`;
  const where = after
    ? sql`(${expiresAt} = ${after.atMs} AND ${key} > ${after.key}) OR (${expiresAt} > ${after.atMs} AND ${past})`
    : past;
  const columns = sql`${key} AS id, ${expiresAt} AS expires_at, ${nowOnce} - ${expiresAt} AS age_ms`;
  return sql`SELECT ${columns} FROM ${entries} WHERE ${where} ORDER BY ${expiresAt}, ${key} LIMIT ${limit}`;
}

function marks(count: number): string {
  return "?, ".repeat(count - 1).concat("?");
}

function infoOf(row: Rows[number], valueBytes: number): EntryInfo {
  return {
    version: hexOf(row.version),
    contentType: row.content_type,
    metadata: row.metadata,
    valueBytes,
    expiry: row.expires_at === null ? null : { atMs: row.expires_at, ttlMs: row.ttl_ms },
  };
}

function entryOf(row: Rows[number]): Entry {
  return Object.assign(infoOf(row, row.value.length), { value: row.value });
}

/** `name = …` on the left of an assignment, or a name in a column list, where a qualified one is not allowed. */
function bare(column: { name: string }): SQL {
  return sql`${sql.identifier(column.name)}`;
}

/** Text goes as bytes, like everything else, so that no mode or character set of a session can change it. */
function bytes(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text);
}

function expiryTime(expiry: ExpiryTime): SQL {
  return "afterMs" in expiry ? sql`${now} + ${expiry.afterMs}` : sql`${expiry.atMs}`;
}

function newExpiry(expiry: NewExpiry): SQL {
  return typeof expiry === "string" ? sql`NULL` : expiryTime(expiry);
}

function hexOf(bytes: Buffer): Version {
  return bytes.toString("hex");
}

function isUnknown(error: unknown): boolean {
  return error instanceof StoreError && error.code === "outcome_unknown";
}

function includes(versions: "*" | Version[], one: Version): boolean {
  return versions === "*" || versions.includes(one);
}

/** Whether the row's version is among those given; `*` is any. */
function matches(versions: "*" | Version[]): SQL {
  if (versions === "*") return sql`TRUE`;
  if (versions.length === 0) return sql`FALSE`;
  const list = sql.join(
    versions.map((hex) => sql`${Buffer.from(hex, "hex")}`),
    sql`, `,
  );
  return sql`${version} IN (${list})`;
}

/** Replaces a live entry whose version is among those wanted. */
function updateStatement(put: Put, condition: Condition): SQL {
  const { ifMatch = "*", ifNoneMatch = [] } = condition;
  const { expiry, contentType: type, metadata: meta, value: bytesOfValue } = put.entry;
  const assignments = [
    sql`${bare(version)} = ${Buffer.from(put.version, "hex")}`,
    ...(expiry === "keep" ? [] : [sql`${bare(expiresAt)} = ${newExpiry(expiry)}`]),
    sql`${bare(contentType)} = ${bytes(type)}`,
    sql`${bare(metadata)} = ${bytes(meta)}`,
    sql`${bare(value)} = ${bytesOfValue}`,
  ];
  const where = sql`${key} = ${put.key} AND ${isLive} AND ${matches(ifMatch)} AND NOT ${matches(ifNoneMatch)}`;
  return sql`UPDATE ${entries} SET ${sql.join(assignments, sql`, `)} WHERE ${where}`;
}

/** Removes a live entry whose version is among those wanted. */
function deleteStatement(entry: EntryKey, ifMatch: "*" | Version[]): SQL {
  return sql`DELETE FROM ${entries} WHERE ${key} = ${entry} AND ${isLive} AND ${matches(ifMatch)}`;
}

/**
 * Creates entries or replaces those that are there; `keep` and a condition are for a single one. With a condition,
 * the version is decided first, and every other column follows it: it is the new one, which no other write has,
 * exactly if the condition held.
 */
function upsertStatement(puts: Put[], { ifNoneMatch }: Condition = {}): Text {
  const params: unknown[] = [];
  const rows = puts.map(({ key: entry, version: hex, entry: next }) => {
    const { expiry } = next;
    params.push(entry, Buffer.from(hex, "hex"));
    let expires = "NULL";
    if (typeof expiry !== "string") {
      expires = "afterMs" in expiry ? `${NOW} + ?` : "?";
      params.push("afterMs" in expiry ? expiry.afterMs : expiry.atMs);
    }
    params.push(bytes(next.contentType), bytes(next.metadata), next.value);
    return `(?, ?, ${expires}, ?, ?, ?)`;
  });
  const keeps = puts.some((put) => put.entry.expiry === "keep");
  if (!ifNoneMatch && !keeps) return { sql: `${INSERT} ${rows.join(", ")} ${REPLACE}`, params };
  const onDuplicate = dialect.sqlToQuery(replacement(ifNoneMatch, keeps));
  return { sql: `${INSERT} ${rows.join(", ")} ${onDuplicate.sql}`, params: [...params, ...onDuplicate.params] };
}

function replacement(ifNoneMatch: Condition["ifNoneMatch"], keeps: boolean): SQL {
  const fresh = (column: { name: string }) => sql`fresh.${bare(column)}`;
  const holds = ifNoneMatch && sql`(${isExpired} OR NOT ${matches(ifNoneMatch)})`;
  const applied = sql`${version} = ${fresh(version)}`;
  const assign = (column: { name: string }, next: SQL) =>
    sql`${bare(column)} = ${holds ? sql`IF(${applied}, ${next}, ${column})` : next}`;
  const assignments = [
    sql`${bare(version)} = ${holds ? sql`IF(${holds}, ${fresh(version)}, ${unchanged(version)})` : fresh(version)}`,
    assign(expiresAt, keeps ? sql`IF(${isExpired}, NULL, ${expiresAt})` : fresh(expiresAt)),
    ...[contentType, metadata, value].map((column) => assign(column, fresh(column))),
  ];
  return sql`AS fresh ON DUPLICATE KEY UPDATE ${sql.join(assignments, sql`, `)}`;
}

const COLUMNS = [key, version, expiresAt, contentType, metadata, value];
const INSERT = text(sql`INSERT INTO ${entries} (${sql.join(COLUMNS.map(bare), sql`, `)}) VALUES`);
const REPLACE = text(replacement(undefined, false));

/** What a column has, and CONDITION_FAILED as the statement's `insertId`. */
function unchanged(column: SQLWrapper): SQL {
  return sql`IF(LAST_INSERT_ID(${CONDITION_FAILED}), ${column}, NULL)`;
}

/**
 * Sets the expiry of a live entry and reports through LAST_INSERT_ID, which the server returns as `insertId`:
 * 0 if there is no such entry, CONDITION_FAILED, or else what the caller can't know — the instant, for a time from
 * now, or the time left, for an instant. The clock goes on between its readings in one statement: what `lt` sets by the
 * second is kept earlier than what it has compared with by the first.
 */
function expireStatement(entry: EntryKey, expiry: ExpiryTime, condition: ExpireCondition): SQL {
  const relative = "afterMs" in expiry;
  const report = (instant: SQL) =>
    relative
      ? sql`LAST_INSERT_ID(${instant})`
      : sql`(${instant} + 0 * LAST_INSERT_ID(GREATEST(${expiry.atMs} - ${now}, 0) + ${TTL_OFFSET}))`;
  const time = expiryTime(expiry);
  const same = unchanged(expiresAt);
  const next = {
    always: report(time),
    nx: sql`IF(${expiresAt} IS NULL, ${report(time)}, ${same})`,
    xx: sql`IF(${expiresAt} IS NULL, ${same}, ${report(time)})`,
    gt: sql`IF(${time} > ${expiresAt}, ${report(time)}, ${same})`,
    lt: sql`IF(${time} >= ${expiresAt}, ${same}, ${report(sql`LEAST(${time}, IFNULL(${expiresAt} - 1, ${time}))`)})`,
  }[condition.if ?? "always"];
  const guarded = condition.ifMatch === undefined ? next : sql`IF(${matches(condition.ifMatch)}, ${next}, ${same})`;
  return sql`UPDATE ${entries} SET ${bare(expiresAt)} = ${guarded} WHERE ${key} = ${entry} AND ${isLive}`;
}

function persistStatement(entry: EntryKey): SQL {
  return sql`UPDATE ${entries} SET ${bare(expiresAt)} = NULLIF(LAST_INSERT_ID(1), 1) WHERE ${key} = ${entry} AND ${isLive}`;
}
