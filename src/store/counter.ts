// Counters: 64-bit signed integers, kept as decimal text, so that a GET reads one and a PUT sets one.

import { expiryAt, instantOf } from "./decide.ts";
import type { Content, CounterRefusal, Increment, IncrementResult, Update } from "./store.ts";

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;
/** As Redis takes a number: no sign that says nothing, no leading zeros, no spaces. */
const INTEGER = /^(?:0|-?[1-9]\d*)$/;
/** Of the longest, with its sign. */
const COUNTER_BYTES = 20;
const COUNTER_CONTENT_TYPE = "text/plain";

/** Adds to a counter, which is made if it is not there. */
export function incrementing(increment: Increment): Update<IncrementResult> {
  const { expiry, renews } = increment;
  return {
    // One byte more tells what is no number.
    valueBytes: COUNTER_BYTES + 1,
    bytes: COUNTER_BYTES,
    apply: (found, { nowMs, version }) => {
      const before = found?.content ?? null;
      const value = incremented(before?.value ?? null, increment);
      if (typeof value === "string") return { entry: found, answer: { outcome: value } };
      const kept = found?.expiresAtMs ?? null;
      const atMs = expiry && (!found || renews) ? instantOf(expiry, nowMs) : kept;
      return {
        entry: { content: counterContent(value, before), expiresAtMs: atMs },
        answer: { outcome: "set", value, version, expiry: atMs === null ? null : expiryAt(atMs, nowMs) },
      };
    },
  };
}

/** What an increment makes of a value; null is a counter that is not there. */
function incremented(value: Buffer | null, { by, initial, min, max }: Increment): bigint | CounterRefusal {
  const before = value === null ? initial : integerOf(value);
  if (before === null) return "not_a_number";
  const after = before + by;
  if (after < MIN || after > MAX) return "overflow";
  if ((min !== undefined && after < min) || (max !== undefined && after > max)) return "out_of_bounds";
  return after;
}

/** The 64-bit signed integer that a text is, if it is one. */
export function integerOf(value: Buffer): bigint | null {
  const text = value.length <= COUNTER_BYTES ? value.toString("latin1") : "";
  if (!INTEGER.test(text)) return null;
  const number = BigInt(text);
  return number < MIN || number > MAX ? null : number;
}

/** A counter's content: what describes the value stays. */
function counterContent(number: bigint, before: Content | null): Content {
  const { contentType, metadata } = before ?? { contentType: COUNTER_CONTENT_TYPE, metadata: null };
  return { contentType, metadata, value: Buffer.from(String(number)) };
}
