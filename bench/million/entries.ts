// What the calls in flight are about: keys whose values follow from them, so that each answer can be judged by itself.

/** Keys that are there before, and read by many connections each. */
export const KEYS = 100_000;
const VALUE_BYTES = 256;
/** Of so many calls one writes. */
const WRITES_EACH = 10;

export function isWrite(connection: number): boolean {
  return connection % WRITES_EACH === 0;
}

/** The key that a connection reads. */
export function keyOf(connection: number): string {
  return `read-${connection % KEYS}`;
}

/** The key that nobody else writes. */
export function writtenKeyOf(connection: number): string {
  return `written-${connection}`;
}

export function valueUnder(key: string): string {
  return `${key} `.padEnd(VALUE_BYTES, "v");
}
