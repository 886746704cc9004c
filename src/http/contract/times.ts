// What an expiry that is answered may be.

import { expect } from "bun:test";
import type { Step } from "./step.ts";

export const EXPIRED: Step = { send: "PUT ?expires_at=1", body: "old", gives: 204 };
type Expiry = { ttl_ms: number; expires_at: string };
/** A time left that is at most `seconds`, and less only as far as a slow machine explains it, with its instant where that is known. */
export const about = (seconds: number, instant?: string | RegExp) => (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeLessThanOrEqual(seconds * 1000);
  expect(ttl_ms).toBeGreaterThan(seconds * 500);
  expect(expires_at).toMatch(instant ?? /Z$/);
};
/** An instant far away. */
export const at = (instant: string) => (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeGreaterThan(1e12);
  expect(expires_at).toBe(instant);
};
/** The instant 4,000,000,000 seconds into the epoch, as some tests set it. */
export const in2096 = at("2096-10-02T07:06:40.000Z");
export const never = { ttl_ms: null, expires_at: null };
