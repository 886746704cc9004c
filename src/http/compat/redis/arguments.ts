// How commands read their arguments, with the errors that Redis has for them.

import { KEY_BYTES, TTL_MS } from "../../../limits.ts";
import { integerOf } from "../../../store/counter.ts";
import type { EntryKey, ExpiryTime } from "../../../store/store.ts";
import { requireKey } from "../../path.ts";
import { NOT_AN_INTEGER, RedisError } from "./reply.ts";

/** What an argument is read with. */
export interface Context {
  namespace: string;
  maxValueBytes: number;
}

const INVALID_KEY = new RedisError(`ERR a key is 1 to ${KEY_BYTES} bytes, and neither . nor ..`);

export function keyOf(bytes: Buffer, { namespace }: Context): EntryKey {
  try {
    return requireKey(namespace, bytes.toString("latin1"));
  } catch {
    throw INVALID_KEY;
  }
}

/** A 64-bit integer. */
export function integer(bytes: Buffer): bigint {
  const number = integerOf(bytes);
  if (number === null) throw NOT_AN_INTEGER;
  return number;
}

/** In capitals, as the names of commands and of their options are compared. */
export function word(bytes: Buffer | undefined): string {
  return bytes ? bytes.toString("latin1").toUpperCase() : "";
}

/** How the options of SET, GETEX, EXPIRE and their like give a time. */
export type Unit = "EX" | "PX" | "EXAT" | "PXAT";

export function isUnit(option: string): option is Unit {
  return option === "EX" || option === "PX" || option === "EXAT" || option === "PXAT";
}

/** Throws for what SET and its like refuse: zero, and what is negative or too far away. */
export function positiveExpiry(bytes: Buffer, unit: Unit, command: string): ExpiryTime {
  const time = integer(bytes);
  if (time <= 0n) throw invalidExpiry(command);
  return expiryOf(time, unit, command);
}

/** Throws for what is too far away. An instant before 1970 is as far past as any. */
export function expiryOf(time: bigint, unit: Unit, command: string): ExpiryTime {
  const milliseconds = unit === "EX" || unit === "EXAT" ? time * 1000n : time;
  const isRelative = unit === "EX" || unit === "PX";
  const atMs = isRelative ? milliseconds + BigInt(Date.now()) : milliseconds;
  if (atMs > BigInt(Date.now() + TTL_MS)) throw invalidExpiry(command);
  if (isRelative && milliseconds > 0n) return { afterMs: Number(milliseconds) };
  return { atMs: atMs < 1n ? 1 : Number(atMs) };
}

function invalidExpiry(command: string): RedisError {
  return new RedisError(`ERR invalid expire time in '${command}' command`);
}
