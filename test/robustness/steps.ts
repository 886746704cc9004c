// The calls of histories that are made up, each named after what it does and was told.

import type { Asked, Call, Outcome } from "./history.ts";

export type Step = Omit<Call, "key" | "client" | "shard">;

/** Between two times in milliseconds: whoever overlaps with another is a client of its own. */
export function step(asked: Omit<Asked, "key">, from: number, to: number, outcome: Partial<Outcome> = {}): Step {
  const got = { ...(writes(asked) && { etag: `"${asked.value}"` }), ...outcome.got };
  return {
    ...asked,
    invoke: from * 1000,
    return: to * 1000,
    clockOffset: 0,
    outcome: "ok",
    held: true,
    ...outcome,
    got,
  };
}

const writes = ({ op }: Omit<Asked, "key">) => op === "put" || op === "create" || op === "cas";
export const NO = { held: false };
const REFUSED: Partial<Outcome> = { held: false, got: { refused: true } };
export const UNKNOWN = { outcome: "unknown", held: false } as const;
export const NOT_APPLIED = { outcome: "not_applied", held: false } as const;

export const put = (value: string, from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "put", value }, from, to, outcome);
export const putTtl = (value: string, ttlMs: number, from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "put", value, ttlMs }, from, to, outcome);
export const keep = (value: string, from: number, to: number) => step({ op: "put", value, keepTtl: true }, from, to);
export const create = (value: string, from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "create", value }, from, to, outcome);
export const cas = (old: string, value: string, from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "cas", value, ifMatch: `"${old}"` }, from, to, outcome);
export const remove = (from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "delete" }, from, to, outcome);
export const release = (value: string, from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "release", ifMatch: `"${value}"` }, from, to, outcome);
export const expire = (ttlMs: number, expiresAt: number, from: number, to: number) =>
  step({ op: "expire", ttlMs }, from, to, { got: { expiresAt } });
/** Answered with the expiry, unless it was refused. */
export const expireIf = (condition: Asked["if"], ttlMs: number, from: number, to: number, expiresAt?: number) =>
  step({ op: "expire", if: condition, ttlMs }, from, to, expiresAt ? { got: { expiresAt } } : REFUSED);
export const persist = (from: number, to: number, outcome?: Partial<Outcome>) =>
  step({ op: "persist" }, from, to, outcome);
export const get = (value: string, from: number, to: number, expiresAt?: number) =>
  step({ op: "get" }, from, to, { got: { value, etag: `"${value}"`, ...(expiresAt && { expiresAt }) } });
export const head = (value: string, from: number, to: number) =>
  step({ op: "head" }, from, to, { got: { etag: `"${value}"` } });
export const none = (from: number, to: number) => step({ op: "get" }, from, to, NO);
/** Of a replica; without a value it found none. */
export const peek = (value: string | undefined, from: number, to: number) =>
  step({ op: "peek" }, from, to, value === undefined ? NO : { got: { value, etag: `"${value}"` } });
/** The version of a counter, in these histories, is named after when it was made. */
export const add = (by: number, sum: number, from: number, to: number) =>
  step({ op: "increment", by }, from, to, { got: { value: `${sum}`, etag: `"${from}"` } });
export const addUnknown = (by: number, from: number, to: number) => step({ op: "increment", by }, from, to, UNKNOWN);
export const count = (sum: number, made: number, from: number, to: number) =>
  step({ op: "get" }, from, to, { got: { value: `${sum}`, etag: `"${made}"` } });
