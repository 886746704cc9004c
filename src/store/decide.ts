// What each write does to a row: the one definition of what writes mean. Pure, so that batches, tests and models share it.

import type { Condition, Content, EntryState, ExpireCondition, ExpiryTime, NewExpiry, Update } from "./store.ts";
import type { Version } from "./version.ts";

/** What a row holds. */
export interface Row extends EntryState {
  version: Version;
}

/** A write; one that may leave another value has the version that was drawn for it. */
export type Write =
  | { kind: "put"; version: Version; content: Content; expiry: NewExpiry; condition: Condition }
  | { kind: "delete"; ifMatch?: Condition["ifMatch"] }
  | { kind: "expire"; expiry: ExpiryTime; condition: ExpireCondition }
  | { kind: "persist" }
  | { kind: "update"; version: Version; update: Update<unknown> }
  /** Changes nothing, but makes sure that an entry that is found expired never comes back. Answers whether one may live. */
  | { kind: "look" };

/** What a write answers: a PUT its version, or null where its condition does not hold; others see `Store`. */
export type Answer = unknown;

export interface Decision {
  /** What is there afterwards, null if nothing; the very same object as before if the write changes nothing. */
  row: Row | null;
  answer: Answer;
}

/** Decides a write on what is there at `nowMs`, by the clock of the shard's primary. A row that has expired is none. */
export function decide(found: Row | null, write: Write, nowMs: number): Decision {
  const row = found && isLive(found, nowMs) ? found : null;
  switch (write.kind) {
    case "put":
      return put(row, write, nowMs);
    case "delete":
      return matches(write.ifMatch, row) ? { row: null, answer: true } : { row, answer: false };
    case "expire":
      return expire(row, write, nowMs);
    case "persist":
      if (!row || row.expiresAtMs === null) return { row, answer: row !== null };
      return { row: { ...row, expiresAtMs: null }, answer: true };
    case "update":
      return update(row, write, nowMs);
    case "look":
      return { row, answer: row !== null };
  }
}

export function isLive({ expiresAtMs }: Pick<Row, "expiresAtMs">, nowMs: number): boolean {
  return expiresAtMs === null || expiresAtMs > nowMs;
}

/** Whether a write does the same whatever is there: then the row need not be known. */
export function isBlind(write: Write): boolean {
  if (write.kind === "delete") return write.ifMatch === undefined;
  if (write.kind !== "put" || write.expiry === "keep") return false;
  return write.condition.ifMatch === undefined && write.condition.ifNoneMatch === undefined;
}

function put(row: Row | null, write: Write & { kind: "put" }, nowMs: number): Decision {
  const { version, content, expiry, condition } = write;
  const { ifMatch, ifNoneMatch } = condition;
  const fails = ifNoneMatch !== undefined && row !== null && matches(ifNoneMatch, row);
  if (fails || !matches(ifMatch, row)) return { row, answer: null };
  const kept = row?.expiresAtMs ?? null;
  const expiresAtMs = expiry === "keep" ? kept : expiry === "never" ? null : instantOf(expiry, nowMs);
  return { row: { version, expiresAtMs, content }, answer: version };
}

function expire(row: Row | null, write: Write & { kind: "expire" }, nowMs: number): Decision {
  if (!row) return { row, answer: { outcome: "absent" } };
  const { expiry, condition } = write;
  const atMs = instantOf(expiry, nowMs);
  if (!matches(condition.ifMatch, row) || !allows(condition.if, row.expiresAtMs, atMs)) {
    return { row, answer: { outcome: "condition_failed" } };
  }
  return { row: { ...row, expiresAtMs: atMs }, answer: { outcome: "set", ...expiryAt(atMs, nowMs) } };
}

function update(row: Row | null, { version, update }: Write & { kind: "update" }, nowMs: number): Decision {
  if (row && !row.content && update.valueBytes !== undefined) throw new Error("the row's content has not been read");
  const { entry, answer } = update.apply(row, { nowMs, version });
  return { row: leaving(row, entry, version), answer };
}

/** The row that is left where this entry is to be: the version stays with the value, and any other value gets this one. */
export function leaving(row: Row | null, entry: EntryState | null, version: Version): Row | null {
  if (!entry) return null;
  const { content, expiresAtMs } = entry;
  if (content !== row?.content) return { version, expiresAtMs, content };
  return row && expiresAtMs !== row.expiresAtMs ? { ...row, expiresAtMs } : row;
}

/** As Redis's EXPIRE has it: no expiry is infinitely far away. */
export function allows(condition: ExpireCondition["if"], current: number | null, next: number): boolean {
  const until = current ?? Number.POSITIVE_INFINITY;
  const holds = { nx: current === null, xx: current !== null, gt: next > until, lt: next < until };
  return condition === undefined || holds[condition];
}

/** Whether If-Match holds; it does where it is not given. */
function matches(versions: "*" | Version[] | undefined, row: Row | null): boolean {
  if (versions === undefined) return true;
  return row !== null && (versions === "*" || versions.includes(row.version));
}

/** As it is answered. */
export function expiryAt(atMs: number, nowMs: number) {
  return { atMs, ttlMs: Math.max(0, atMs - nowMs) };
}

export function instantOf(expiry: ExpiryTime, nowMs: number): number {
  return "afterMs" in expiry ? nowMs + expiry.afterMs : expiry.atMs;
}
