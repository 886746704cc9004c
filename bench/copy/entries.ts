// The entries that are exported and imported: of all kinds, and each known by its number, so that a copy can be held
// against what it must be.

import { type Client, type Key, KVError, type Value } from "../../src/client/index.ts";

const VALUE_BYTES = 256;
/** What is written in one tick, and so in one request, and how many requests at once. */
const GROUP = 500;
const GROUPS_AT_ONCE = 4;
const DAY_MS = 86_400_000;
const DIGITS = 8;
/** In front of a key that is not UTF-8. */
const BINARY = 0xff;

interface CopiedEntry {
  key: Key;
  value: Value;
  metadata: { number: number; ü: boolean[] } | undefined;
  expiresAt: Date | undefined;
}

/** What entries that never agree have, by how they differ from what they must be. */
export interface Differences {
  missing: number;
  different: number;
  /** Not of the entries at all, or there twice. */
  others: number;
}

/** `baseMs` is when the first expires that does. */
function entryOf(number: number, baseMs: number): CopiedEntry {
  const name = Buffer.from(String(number).padStart(DIGITS, "0"));
  const bytes = Buffer.alloc(number % 97 === 0 ? 0 : VALUE_BYTES, `${number},`);
  if (number % 5 === 0) bytes.subarray(0, 3).fill(BINARY);
  return {
    key: number % 50 === 0 ? Buffer.concat([Buffer.of(BINARY), name]) : String(name),
    value: number % 5 === 0 ? bytes : String(bytes),
    metadata: number % 3 === 0 ? { number, ü: [number % 2 === 0] } : undefined,
    expiresAt: number % 4 === 0 ? new Date(baseMs + number) : undefined,
  };
}

/** Some day on which no measurement goes on any more. */
export const farBase = () => Date.now() + 30 * DAY_MS;

/** Writes all of them. */
export async function fill(kv: Client, entries: number, baseMs: number, report: (written: number) => void) {
  let next = 0;
  const worker = async () => {
    while (next < entries) {
      const numbers = Array.from({ length: Math.min(GROUP, entries - next) }, (_, i) => next + i);
      next += numbers.length;
      await Promise.all(numbers.map((number) => put(kv, entryOf(number, baseMs))));
      report(next);
    }
  };
  await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, worker));
}

/** Again where the outcome is unknown: it is the same write. */
async function put(kv: Client, entry: CopiedEntry): Promise<void> {
  const { key, value, metadata, expiresAt } = entry;
  try {
    await kv.put(key, value, { metadata, expiresAt });
  } catch (error) {
    if (!(error instanceof KVError && error.outcomeUnknown)) throw error;
    await put(kv, entry);
  }
}

/** Holds everything that a namespace has against what it must have. */
export async function differences(kv: Client, entries: number, baseMs: number): Promise<Differences> {
  const seen = new Uint8Array(entries);
  const found: Differences = { missing: 0, different: 0, others: 0 };
  const query = { order: "any", pageSize: 1_000, include: ["metadata", "value"] } as const;
  for await (const { key, value, metadata, expiresAt, contentType } of kv.list({
    ...query,
    include: [...query.include],
  })) {
    const number = Number(Buffer.from(key).subarray(-DIGITS).toString());
    const wanted = number < entries ? entryOf(number, baseMs) : undefined;
    if (!wanted || seen[number] || !Buffer.from(wanted.key).equals(Buffer.from(key))) {
      found.others += 1;
      continue;
    }
    seen[number] = 1;
    const isText = typeof wanted.value === "string";
    const isSame =
      Buffer.from(wanted.value as string).equals(value as Uint8Array) &&
      contentType === (isText ? "text/plain; charset=utf-8" : "application/octet-stream") &&
      JSON.stringify(metadata) === JSON.stringify(wanted.metadata) &&
      expiresAt?.getTime() === wanted.expiresAt?.getTime();
    if (!isSame) found.different += 1;
  }
  found.missing = seen.reduce((missing, isSeen) => missing + (isSeen ? 0 : 1), 0);
  return found;
}
