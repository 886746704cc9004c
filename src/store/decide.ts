// What each write does to a row: the one definition of what writes mean. Pure, so that batches, tests and models share it.

import type { Condition, ExpireCondition, ExpireResult, ExpiryTime, NewExpiry } from "./store.ts";
import type { Version } from "./version.ts";

/** What a row holds. No decision looks at the content, so it can be anything that stands for it. */
export interface Row<C> {
  version: Version;
  /** Epoch milliseconds; null never expires. */
  expiresAtMs: number | null;
  content: C;
}

/** A write; a PUT has the version that was drawn for it. */
export type Write<C> =
  | { kind: "put"; version: Version; content: C; expiry: NewExpiry; condition: Condition }
  | { kind: "delete"; ifMatch?: Condition["ifMatch"] }
  | { kind: "expire"; expiry: ExpiryTime; condition: ExpireCondition }
  | { kind: "persist" }
  /** Changes nothing, but makes sure that an entry that is found expired never comes back. Answers whether one may live. */
  | { kind: "look" };

/** What a write answers: a PUT its version, or null where its condition does not hold; others see `Store`. */
export type Answer = Version | null | boolean | ExpireResult;

export interface Decision<C> {
  /** What is there afterwards, null if nothing; the very same object as before if the write changes nothing. */
  row: Row<C> | null;
  answer: Answer;
}

/** Decides a write on what is there at `nowMs`, by the clock of the shard's primary. A row that has expired is none. */
export function decide<C>(found: Row<C> | null, write: Write<C>, nowMs: number): Decision<C> {
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
    case "look":
      return { row, answer: row !== null };
  }
}

export function isLive({ expiresAtMs }: Pick<Row<unknown>, "expiresAtMs">, nowMs: number): boolean {
  return expiresAtMs === null || expiresAtMs > nowMs;
}

/** Whether a write does the same whatever is there: then the row need not be known. */
export function isBlind(write: Write<unknown>): boolean {
  if (write.kind === "delete") return write.ifMatch === undefined;
  if (write.kind !== "put" || write.expiry === "keep") return false;
  return write.condition.ifMatch === undefined && write.condition.ifNoneMatch === undefined;
}

function put<C>(row: Row<C> | null, write: Write<C> & { kind: "put" }, nowMs: number): Decision<C> {
  const { version, content, expiry, condition } = write;
  const { ifMatch, ifNoneMatch } = condition;
  const fails = ifNoneMatch !== undefined && row !== null && matches(ifNoneMatch, row);
  if (fails || !matches(ifMatch, row)) return { row, answer: null };
  const kept = row?.expiresAtMs ?? null;
  const expiresAtMs = expiry === "keep" ? kept : expiry === "never" ? null : instantOf(expiry, nowMs);
  return { row: { version, expiresAtMs, content }, answer: version };
}

function expire<C>(row: Row<C> | null, write: Write<C> & { kind: "expire" }, nowMs: number): Decision<C> {
  if (!row) return { row, answer: { outcome: "absent" } };
  const { expiry, condition } = write;
  const atMs = instantOf(expiry, nowMs);
  if (!matches(condition.ifMatch, row) || !allows(condition.if, row.expiresAtMs, atMs)) {
    return { row, answer: { outcome: "condition_failed" } };
  }
  return {
    row: { ...row, expiresAtMs: atMs },
    answer: { outcome: "set", atMs, ttlMs: Math.max(0, atMs - nowMs) },
  };
}

/** As Redis's EXPIRE has it: no expiry is infinitely far away. */
function allows(condition: ExpireCondition["if"], current: number | null, next: number): boolean {
  const until = current ?? Number.POSITIVE_INFINITY;
  const holds = { nx: current === null, xx: current !== null, gt: next > until, lt: next < until };
  return condition === undefined || holds[condition];
}

/** Whether If-Match holds; it does where it is not given. */
function matches(versions: "*" | Version[] | undefined, row: Row<unknown> | null): boolean {
  if (versions === undefined) return true;
  return row !== null && (versions === "*" || versions.includes(row.version));
}

function instantOf(expiry: ExpiryTime, nowMs: number): number {
  return "afterMs" in expiry ? nowMs + expiry.afterMs : expiry.atMs;
}
