// The only file that issues SQL on entries: one named statement per operation, each in one shard.
//
// Time. SYSDATE, unlike NOW, is read while the statement holds the row's lock, not when it begins to wait for it.
// So a writer never revives an entry that a reader has already found expired: see `confirmAbsent`.
// An assignment list evaluates the clock at most once per decision: two readings may fall on either side of an expiry.
//
// Assignments in UPDATE and ON DUPLICATE KEY UPDATE happen from left to right, and later ones see the earlier.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type SQL, sql } from "drizzle-orm";
import { MySqlDialect } from "drizzle-orm/mysql-core";
import type { Database, Rows, Statement, Written } from "./connect.ts";
import { StoreError } from "./errors.ts";
import { entries, VERSION_BYTES } from "./schema.ts";
import type {
  Condition,
  Entry,
  EntryInfo,
  EntryKey,
  ExpireResult,
  ExpiryCondition,
  ExpiryTime,
  NewEntry,
  NewExpiry,
  Store,
  Version,
} from "./store.ts";

const dialect = new MySqlDialect();
const { key, version, expiresAt, contentType, metadata, value } = entries;

/** Epoch milliseconds by the clock of the shard's primary. */
const now = sql`CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)`;
const isLive = sql`(${expiresAt} IS NULL OR ${expiresAt} > ${now})`;
const isExpired = sql`${expiresAt} <= ${now}`;

/** `insertId` of an expiry statement that found its entry but not its condition; no expiry is that early. */
const CONDITION_FAILED = 1;
/** Added to a remaining time, so that it differs from "no such row" (0) and CONDITION_FAILED. */
const TTL_OFFSET = 2;

const RETRY_DELAY_MS = { first: 10, most: 250 };

export interface SqlStoreOptions {
  /** Bounds every call, with its retries and its wait for a connection. */
  deadlineMs: number;
}

export class SqlStore implements Store {
  constructor(
    private readonly database: Database,
    private readonly options: SqlStoreOptions,
  ) {}

  async get(entry: EntryKey): Promise<Entry | null> {
    const row = await this.read(entry, [infoColumns, sql`${value} AS value`]);
    return row && { ...info(row), value: row.value };
  }

  async head(entry: EntryKey): Promise<EntryInfo | null> {
    const row = await this.read(entry, [infoColumns]);
    return row && info(row);
  }

  async put(entry: EntryKey, next: NewEntry, condition: Condition = {}): Promise<Version | null> {
    const id = randomBytes(VERSION_BYTES);
    const statement = condition.ifMatch
      ? updateStatement(entry, id, next, condition)
      : upsertStatement(entry, id, next, condition);
    const { affectedRows } = await this.write("put", statement);
    return affectedRows > 0 ? id.toString("hex") : null;
  }

  async delete(entry: EntryKey, ifMatch?: Condition["ifMatch"]): Promise<boolean> {
    const { affectedRows } = await this.write(
      "delete",
      sql`DELETE FROM ${entries} WHERE ${key} = ${entry}${ifMatch && sql` AND ${isLive} AND ${matches(ifMatch)}`}`,
    );
    return ifMatch === undefined || affectedRows > 0;
  }

  async expire(
    entry: EntryKey,
    expiry: ExpiryTime,
    condition: { if?: ExpiryCondition; ifMatch?: Condition["ifMatch"] } = {},
  ): Promise<ExpireResult> {
    const { insertId, affectedRows } = await this.write("expire", expireStatement(entry, expiry, condition));
    if (insertId === 0) return { outcome: "absent" };
    const moved = affectedRows > 0;
    const mustMove = condition.if === "gt" || condition.if === "lt";
    if (insertId === CONDITION_FAILED || (mustMove && !moved)) return { outcome: "condition_failed" };
    return "afterMs" in expiry
      ? { outcome: "set", atMs: insertId, ttlMs: expiry.afterMs }
      : { outcome: "set", atMs: expiry.atMs, ttlMs: insertId - TTL_OFFSET };
  }

  async persist(entry: EntryKey): Promise<boolean> {
    const { insertId } = await this.write(
      "persist",
      sql`UPDATE ${entries} SET ${expiresAt} = NULLIF(LAST_INSERT_ID(1), 1) WHERE ${key} = ${entry} AND ${isLive}`,
    );
    return insertId !== 0;
  }

  async ping(): Promise<void> {
    await this.run<Rows>("ping", false, sql`SELECT ${expiresAt} FROM ${entries} WHERE ${key} = ${Buffer.of()}`);
  }

  /** The entry's columns if it lives. */
  private async read(entry: EntryKey, columns: SQL[]): Promise<Rows[number] | null> {
    const select = sql`SELECT ${sql.join(columns, sql`, `)} FROM ${entries} WHERE ${key} = ${entry}`;
    const [row] = await this.run<Rows>("get", false, select);
    if (!row || row.ttl_ms === null || row.ttl_ms > 0) return row ?? null;
    return await this.confirmAbsent(select);
  }

  /**
   * An entry that reads as expired may be in the middle of being extended: by a statement that judged it in time,
   * holds its lock and has not committed. Answering "absent" and then showing it alive again would be a lie, so this
   * waits for such a writer, and one that comes later finds the entry expired. Only expired rows that are not
   * reclaimed yet come here.
   */
  private async confirmAbsent(select: SQL): Promise<Rows[number] | null> {
    const [row] = await this.run<Rows>("get_locked", false, sql`${select} FOR SHARE`);
    return row && (row.ttl_ms === null || row.ttl_ms > 0) ? row : null;
  }

  private write(name: string, statement: SQL): Promise<Written> {
    return this.run<Written>(name, true, statement);
  }

  /** Runs a statement, again while it surely changed nothing and the deadline allows. */
  private async run<T extends Rows | Written>(name: string, writes: boolean, query: SQL): Promise<T> {
    const statement: Statement = { name, writes, ...dialect.sqlToQuery(query) };
    const deadline = performance.now() + this.options.deadlineMs;
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

const infoColumns = sql.join(
  [
    sql`${version} AS version`,
    sql`${contentType} AS content_type`,
    sql`${metadata} AS metadata`,
    sql`LENGTH(${value}) AS value_bytes`,
    sql`${expiresAt} AS expires_at`,
    sql`${expiresAt} - ${now} AS ttl_ms`,
  ],
  sql`, `,
);

function info(row: Rows[number]): EntryInfo {
  return {
    version: row.version.toString("hex"),
    contentType: row.content_type,
    metadata: row.metadata,
    valueBytes: row.value_bytes,
    expiry: row.expires_at === null ? null : { atMs: row.expires_at, ttlMs: row.ttl_ms },
  };
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
function updateStatement(entry: EntryKey, id: Buffer, next: NewEntry, condition: Condition): SQL {
  const { ifMatch = "*", ifNoneMatch = [] } = condition;
  return sql`UPDATE ${entries} SET ${bare(version)} = ${id}, ${
    next.expiry === "keep" ? sql`` : sql`${bare(expiresAt)} = ${newExpiry(next.expiry)}, `
  }${bare(contentType)} = ${bytes(next.contentType)}, ${bare(metadata)} = ${bytes(next.metadata)}, ${bare(value)} = ${
    next.value
  } WHERE ${key} = ${entry} AND ${isLive} AND ${matches(ifMatch)} AND NOT ${matches(ifNoneMatch)}`;
}

/**
 * Creates the entry or replaces the one that is there. With a condition, the version is decided first, and every
 * other column follows it: it is the new one, which no other write has, exactly if the condition held.
 */
function upsertStatement(entry: EntryKey, id: Buffer, next: NewEntry, { ifNoneMatch }: Condition): SQL {
  const columns = [key, version, expiresAt, contentType, metadata, value];
  const fresh = (column: { name: string }) => sql`fresh.${bare(column)}`;
  const holds = ifNoneMatch && sql`(${isExpired} OR NOT ${matches(ifNoneMatch)})`;
  const applied = sql`${version} = ${fresh(version)}`;
  const assign = (column: { name: string }, replacement: SQL) =>
    sql`${bare(column)} = ${holds ? sql`IF(${applied}, ${replacement}, ${column})` : replacement}`;
  const kept = sql`IF(${isExpired}, NULL, ${expiresAt})`;
  return sql`INSERT INTO ${entries} (${sql.join(columns.map(bare), sql`, `)}) VALUES (${entry}, ${id}, ${newExpiry(
    next.expiry,
  )}, ${bytes(next.contentType)}, ${bytes(next.metadata)}, ${next.value}) AS fresh ON DUPLICATE KEY UPDATE ${bare(
    version,
  )} = ${holds ? sql`IF(${holds}, ${fresh(version)}, ${version})` : fresh(version)}, ${sql.join(
    [
      assign(expiresAt, next.expiry === "keep" ? kept : fresh(expiresAt)),
      ...[contentType, metadata, value].map((column) => assign(column, fresh(column))),
    ],
    sql`, `,
  )}`;
}

/**
 * Sets the expiry of a live entry and reports through LAST_INSERT_ID, which the server returns as `insertId`:
 * 0 if there is no such entry, CONDITION_FAILED, or else what the caller can't know — the instant, for a time from
 * now, or the time left, for an instant. `gt` and `lt` compare and assign in one expression, with one reading of the
 * clock, so for them the condition held exactly if the row changed.
 */
function expireStatement(
  entry: EntryKey,
  expiry: ExpiryTime,
  condition: { if?: ExpiryCondition; ifMatch?: Condition["ifMatch"] },
): SQL {
  const relative = "afterMs" in expiry;
  const report = (instant: SQL) =>
    relative
      ? sql`LAST_INSERT_ID(${instant})`
      : sql`(${instant} + 0 * LAST_INSERT_ID(GREATEST(${expiry.atMs} - ${now}, 0) + ${TTL_OFFSET}))`;
  const time = expiryTime(expiry);
  const unchanged = sql`IF(LAST_INSERT_ID(${CONDITION_FAILED}), ${expiresAt}, NULL)`;
  const next = {
    always: report(time),
    nx: sql`IF(${expiresAt} IS NULL, ${report(time)}, ${unchanged})`,
    xx: sql`IF(${expiresAt} IS NULL, ${unchanged}, ${report(time)})`,
    gt: sql`IF(${expiresAt} IS NULL, ${unchanged}, ${report(sql`GREATEST(${time}, ${expiresAt})`)})`,
    lt: report(sql`IF(${expiresAt} IS NULL, ${time}, LEAST(${time}, ${expiresAt}))`),
  }[condition.if ?? "always"];
  const guarded =
    condition.ifMatch === undefined ? next : sql`IF(${matches(condition.ifMatch)}, ${next}, ${unchanged})`;
  return sql`UPDATE ${entries} SET ${bare(expiresAt)} = ${guarded} WHERE ${key} = ${entry} AND ${isLive}`;
}
