// Every SQL text about entries, as it is sent. Each has a name, and is for rows of one shard.
//
// Locks. A transaction has one statement that locks, and that locks its rows in the order of their keys, which callers
// give: so no two can wait for each other.
//
// Time. SYSDATE, unlike NOW, is read when a row is judged: in an UPDATE or DELETE while its lock is held.

import type { Content, EntryKey, NewExpiry } from "../store/store.ts";
import type { Revision } from "../store/version.ts";
import { IS_PACKED } from "./packed.ts";
import { TAG, TAG_AS_ID, type TagPlace } from "./tag.ts";

/** Text with its parameters, for one statement or for a packet of several. */
export interface Statement {
  /** Named so in logs. */
  name: string;
  sql: string;
  params: unknown[];
  /** Whether it can change anything: then a lost answer leaves its outcome unknown. */
  writes: boolean;
  /** Which statement of a packet commits it, counted from 0: an error of an earlier one means that nothing was changed. */
  commitAt?: number;
  /** Where its answer has the tag of the primary's term, if it has. */
  tag?: TagPlace;
  /** False where rows can count as affected that were not changed. */
  proves?: boolean;
}

/** A row as an unconditional PUT writes it: a relative expiry counts from when its statement is executed. */
export interface Put {
  key: EntryKey;
  revision: Revision;
  expiry: NewExpiry;
  content: Content;
}

/** What a row is known by. */
export interface StoredRow {
  revision: Revision;
  expiresAtMs: number | null;
  /** Where it was asked for, with so much of the value as was. */
  content?: Content;
}

/** A row as it was decided, to be written only where the row still is what was read. */
export interface Change {
  key: EntryKey;
  /** What must be there, and not expired yet if it `lives`; null where there must be no row. */
  guard: (StoredRow & { lives: boolean }) | null;
  revision: Revision;
  expiresAtMs: number | null;
  /** Undefined leaves it as it is. */
  content: Content | undefined;
}

/** Epoch milliseconds by the clock of the shard's primary. */
const CLOCK = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";
/** The same, read once at a statement's beginning: for looking rows up in an index. It decides nothing. */
const CLOCK_ONCE = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
/**
 * MySQL reads a small table as a whole rather than look up many keys, and a statement that locks would then wait for
 * other writers' rows. Vitess passes this on.
 */
const BY_KEY = "/*+ INDEX(entries PRIMARY) */";
/** The clock is read for those rows only that need it. */
const TTL = `IF(expires_at IS NULL, NULL, expires_at - ${CLOCK}) AS ttl_ms`;
const INFO = `version, expires_at, content_type, metadata, ${TTL}`;
const COLUMNS = "(`key`, version, expires_at, content_type, metadata, value)";
const REPLACE =
  "AS fresh ON DUPLICATE KEY UPDATE version = fresh.version, expires_at = fresh.expires_at, content_type = fresh.content_type, metadata = fresh.metadata, value = fresh.value";
/** In place of a content that is left as it is. */
const NOTHING: Content = { value: Buffer.alloc(0), contentType: "", metadata: null };
const LEAVE = "ON DUPLICATE KEY UPDATE version = entries.version";
/** Of a row with a tag, after the expiry. */
const NO_MORE = ", NULL, NULL, NULL, NULL";
/** In place of a row's revision: the same, and the tag as the statement's last inserted id. */
const TAGGED_REVISION = `IF(${TAG_AS_ID}, ?, NULL)`;

/** Entries, with at most so many bytes of each value. */
export function selectEntries(keys: EntryKey[], valueBytes: number, beat?: EntryKey): Statement {
  const rows = `SELECT ${BY_KEY} \`key\` AS id, ${INFO}, LEFT(value, ?) AS value FROM entries`;
  return tagged(read("get", rows, keys, [valueBytes]), NO_MORE, beat);
}

export function selectInfos(keys: EntryKey[], beat?: EntryKey): Statement {
  const rows = `SELECT ${BY_KEY} \`key\` AS id, ${INFO}, value_bytes FROM entries`;
  return tagged(read("head", rows, keys), NO_MORE, beat);
}

/** A part of a range of keys, in their order. */
export interface Range {
  /** The first key that is in it, and the first that is not. */
  start: Buffer;
  end: Buffer;
  /** From its end. */
  reverse: boolean;
  limit: number;
}

export function selectRange({ start, end, reverse, limit }: Range, beat?: EntryKey): Statement {
  const order = reverse ? "DESC" : "ASC";
  const rows = `SELECT ${BY_KEY} \`key\` AS id, ${INFO}, value_bytes FROM entries WHERE \`key\` >= ? AND \`key\` < ? ORDER BY \`key\` ${order} LIMIT ?`;
  return tagged({ name: "scan", sql: `(${rows})`, params: [start, end, limit], writes: false }, NO_MORE, beat);
}

/** What writes are decided on; the last row has the clock. */
export function selectRows(keys: EntryKey[]): Statement {
  const rows = `SELECT ${BY_KEY} \`key\` AS id, version, expires_at, NULL AS clock FROM entries`;
  return tagged(read("find", rows, keys), `, ${CLOCK}`);
}

/** The same with their contents, with at most so many bytes of each value, or of each that is packed. */
export function selectContents(keys: EntryKey[], valueBytes: number, packedBytes: number): Statement {
  const value = `LEFT(value, IF(${IS_PACKED}, ?, ?)) AS value`;
  const rows = `SELECT ${BY_KEY} \`key\` AS id, version, expires_at, content_type, metadata, ${value}, NULL AS clock FROM entries`;
  return tagged(read("find_contents", rows, keys, [packedBytes, valueBytes]), `, NULL, NULL, NULL, ${CLOCK}`);
}

/** With locks, so as to wait for writers that are still at work. */
export function selectRevisions(keys: EntryKey[]): Statement {
  const rows = `(SELECT ${BY_KEY} \`key\` AS id, version, NULL AS expires_at FROM entries`;
  return tagged(read("look_back", rows, keys, [], " FOR SHARE)"));
}

/** A sign of life, of vtgate or of a plain MySQL: it is in no shard, so that none has to answer. */
export function selectNothing(): Statement {
  return { name: "ping", sql: "SELECT 1", params: [], writes: false };
}

export function upsert(puts: Put[]): Statement {
  const params: unknown[] = [];
  const rows = puts.map(({ key, revision, expiry, content }, i) => {
    params.push(key, bytesOf(revision));
    let expiresAt = "NULL";
    if (typeof expiry !== "string") {
      expiresAt = "afterMs" in expiry ? `${CLOCK} + ?` : "?";
      params.push("afterMs" in expiry ? expiry.afterMs : expiry.atMs);
    }
    pushContent(params, content);
    return `(?, ${i === 0 ? TAGGED_REVISION : "?"}, ${expiresAt}, ?, ?, ?)`;
  });
  const sql = `INSERT INTO entries ${COLUMNS} VALUES ${rows.join(", ")} ${REPLACE}`;
  return { name: "put", sql, params, writes: true, tag: "id" };
}

export function remove(keys: EntryKey[]): Statement {
  return { ...read("delete", `DELETE ${BY_KEY} FROM entries`, keys), writes: true };
}

/** The same in a packet, because a DELETE by itself can't tell who has executed it. */
export function inPacket({ name, sql, params }: Statement, keys: EntryKey[]): Statement {
  return packet(name, sql, params, keys);
}

/** Rows that must not be there yet: by itself one that is fails with a duplicate key, among others it is left alone. */
export function insert(changes: Change[]): Statement {
  const params: unknown[] = [];
  for (const { key, revision, expiresAtMs, content } of changes) {
    params.push(key, bytesOf(revision), expiresAtMs);
    pushContent(params, content as Content);
  }
  if (changes.length === 1) {
    const sql = `INSERT INTO entries ${COLUMNS} VALUES (?, ${TAGGED_REVISION}, ?, ?, ?, ?)`;
    return { name: "create", sql, params, writes: true, tag: "id" };
  }
  const rows = changes.map(() => "(?, ?, ?, ?, ?, ?)").join(", ");
  const sql = `INSERT INTO entries ${COLUMNS} VALUES ${rows} ${LEAVE}`;
  return { ...packet("create", sql, params, keysOf(changes)), proves: false };
}

/**
 * Rows that must be there as their guards say; all of the changes have a content, or none. Several rows need a session at
 * their shard, since vtgate has no plan for a join with values.
 */
export function update(changes: Change[]): Statement {
  const withContent = changes[0]?.content !== undefined;
  const name = withContent ? "replace" : "touch";
  const columns = ["version", "expires_at", ...(withContent ? ["content_type", "metadata", "value"] : [])];
  const params: unknown[] = [];
  const single = changes.length === 1;
  for (const { key, guard, revision, expiresAtMs, content } of changes) {
    const { revision: before, expiresAtMs: expiry, lives } = guard as NonNullable<typeof guard>;
    const guarded = [key, bytesOf(before), expiry, lives];
    if (!single) params.push(...guarded);
    params.push(bytesOf(revision), expiresAtMs);
    if (content) pushContent(params, content);
    if (single) params.push(...guarded);
  }
  if (single) {
    const assignments = columns.slice(1).map((column) => `, ${column} = ?`);
    const sql = `UPDATE entries SET version = ${TAGGED_REVISION}${assignments.join("")} WHERE \`key\` = ? AND version = ? AND expires_at <=> ? AND ${notLate("?")}`;
    return { name, sql, params, writes: true, tag: "id" };
  }
  const assignments = columns.map((column) => `entries.${column} = fresh.${column}`).join(", ");
  const sql = `${joined(columns, changes.length)} SET ${assignments}`;
  return packet(name, sql, params, keysOf(changes));
}

/**
 * Rows that are all written or none. They must be there as their guards say: a second statement, which looks for what the
 * first has written, fails before the commit where one was not.
 */
export function updateTogether(changes: Change[]): Statement {
  const params: unknown[] = [];
  for (const { key, guard, revision, expiresAtMs, content } of changes) {
    const { revision: before, expiresAtMs: expiry, lives } = guard as NonNullable<typeof guard>;
    params.push(key, bytesOf(before), expiry, lives, bytesOf(revision), expiresAtMs, content !== undefined);
    pushContent(params, content ?? NOTHING);
  }
  for (const { key, revision } of changes) params.push(key, bytesOf(revision));
  const contents = ["content_type", "metadata", "value"];
  const assignments = [
    ...["version", "expires_at"].map((column) => `entries.${column} = fresh.${column}`),
    ...contents.map((column) => `entries.${column} = IF(fresh.fills, fresh.${column}, entries.${column})`),
  ];
  const columns = ["version", "expires_at", "fills", ...contents];
  const write = `${joined(columns, changes.length)} SET ${assignments.join(", ")}`;
  const pairs = `(?, ?)${", (?, ?)".repeat(changes.length - 1)}`;
  const check = `SELECT NULL AS id, EXP(IF(COUNT(*) = ${changes.length}, 0, 1000)) AS complete, ${TAG} AS expires_at FROM entries WHERE (\`key\`, version) IN (${pairs})`;
  const sql = `BEGIN; ${write}; ${check}; COMMIT`;
  return { name: "update_together", sql, params, writes: true, commitAt: 3, tag: 2 };
}

/** An update of rows that are there as their guards say; the order of the join is the order of locking. */
function joined(columns: string[], count: number): string {
  const row = `ROW(?, ?, ?, ?, ${columns.map(() => "?").join(", ")})`;
  const rows = `${row}${`, ${row}`.repeat(count - 1)}`;
  return `UPDATE /*+ JOIN_FIXED_ORDER() INDEX(entries PRIMARY) */ (VALUES ${rows}) AS fresh (id, guard, expiry, lives, ${columns.join(", ")}) JOIN entries ON entries.\`key\` = fresh.id AND entries.version = fresh.guard AND entries.expires_at <=> fresh.expiry AND ${notLate("fresh.lives")}`;
}

/** Whether what was alive when its row was read still is while the row is locked. */
function notLate(lives: string): string {
  return `(entries.expires_at IS NULL OR NOT ${lives} OR entries.expires_at > ${CLOCK})`;
}

/** Where its keys are of several shards after all, each of these commits for itself: no lock outlives its statement. */
export function removeExpired(keys: EntryKey[]): Statement {
  const sql = `DELETE ${BY_KEY} /*vt+ MULTI_SHARD_AUTOCOMMIT=1 */ FROM entries`;
  return read("reclaim", sql, keys, [], ` AND expires_at <= ${CLOCK}`);
}

/** The first of the expired, from the index alone and without locks; `after` is where an earlier look has ended. */
export function selectExpired(limit: number, after: { key: EntryKey; atMs: number } | null): Statement {
  const past = `expires_at <= ${CLOCK_ONCE}`;
  const where = after ? `(expires_at = ? AND \`key\` > ?) OR (expires_at > ? AND ${past})` : past;
  const sql = `SELECT \`key\` AS id, expires_at, ${CLOCK_ONCE} - expires_at AS age_ms FROM entries WHERE ${where} ORDER BY expires_at, \`key\` LIMIT ?`;
  const params = after ? [after.atMs, after.key, after.atMs, limit] : [limit];
  return { name: "find_expired", sql, params, writes: false };
}

export function countExpired(limit: number): Statement {
  const sql = `SELECT COUNT(*) AS count FROM (SELECT 1 FROM entries WHERE expires_at <= ${CLOCK_ONCE} LIMIT ?) AS found`;
  return { name: "count_expired", sql, params: [limit], writes: false };
}

function read(name: string, head: string, keys: EntryKey[], before: unknown[] = [], tail = ""): Statement {
  const where = keys.length === 1 ? "`key` = ?" : `\`key\` IN (${"?, ".repeat(keys.length - 1)}?)`;
  return { name, sql: `${head} WHERE ${where}${tail}`, params: [...before, ...keys], writes: false };
}

/** A transaction of one statement that tells, before it commits, which revisions its rows have. */
function packet(name: string, sql: string, params: unknown[], keys: EntryKey[]): Statement {
  const told = tagged(read(name, "SELECT `key` AS id, version, NULL AS expires_at FROM entries", keys));
  const all = { sql: `BEGIN; ${sql}; ${told.sql}; COMMIT`, params: [...params, ...told.params] };
  return { name, ...all, writes: true, commitAt: 3, tag: 2 };
}

/**
 * With a last row, without a key, whose expiry is the tag. Replicas have none that would tell anything: theirs is the value
 * of an entry.
 */
function tagged(statement: Statement, others = "", beat?: EntryKey): Statement {
  const tag = beat ? "(SELECT CAST(value AS SIGNED) FROM entries WHERE `key` = ?)" : TAG;
  const sql = `${statement.sql} UNION ALL SELECT NULL, NULL, ${tag}${others}`;
  return { ...statement, sql, params: beat ? [...statement.params, beat] : statement.params, tag: "row" };
}

function keysOf(changes: Change[]): EntryKey[] {
  return changes.map(({ key }) => key);
}

/** Text goes as bytes, like everything else, so that no mode or character set of a session can change it. */
function pushContent(params: unknown[], { contentType, metadata, value }: Content) {
  params.push(Buffer.from(contentType), metadata === null ? null : Buffer.from(metadata), value);
}

function bytesOf(revision: Revision): Buffer {
  return Buffer.from(revision, "hex");
}
