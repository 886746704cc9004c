// What kind of value an entry holds: text, which is any bytes of any content type, or a hash, which has its own.

import type { Content, EntryState, Update, UpdateTime } from "../../../store/store.ts";
import { RedisError, type Reply } from "./reply.ts";

/** JSON of an array: fields and values by turns, bytes as characters (latin1). */
export const HASH_TYPE = "application/vnd.vitess-kv.redis-hash+json";

const WRONG_TYPE = new RedisError("WRONGTYPE Operation against a key holding the wrong kind of value");

type Described = Pick<Content, "contentType">;

export function isHash(described: Described | null | undefined): boolean {
  return described?.contentType === HASH_TYPE;
}

/** Throws WRONGTYPE for a hash. */
export function textIn<T extends Described>(described: T | null | undefined): T | null {
  if (isHash(described)) throw WRONG_TYPE;
  return described ?? null;
}

/** The fields, none where nothing is; throws WRONGTYPE for text. */
export function hashIn(
  content: Content | { value: Buffer; contentType: string } | null | undefined,
): Map<string, string> {
  if (!content) return new Map();
  const words = isHash(content) ? wordsIn(content.value) : undefined;
  if (!words) throw WRONG_TYPE;
  const fields = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) fields.set(words[i] as string, words[i + 1] as string);
  return fields;
}

/** Undefined where somebody else has given a value of their own this content type. */
function wordsIn(value: Buffer): string[] | undefined {
  try {
    const words: unknown = JSON.parse(value.toString());
    const isWhole = Array.isArray(words) && words.length % 2 === 0 && words.every((each) => typeof each === "string");
    return isWhole ? words : undefined;
  } catch {
    return undefined;
  }
}

export function textOf(bytes: Buffer | undefined): string {
  return (bytes as Buffer).toString("latin1");
}

/** An update that looks at the whole value, or at so much of it, and whose error, if it throws one, changes nothing. */
export function deciding(
  bytes: number,
  apply: (found: EntryState | null, at: UpdateTime) => ReturnType<Update<Reply>["apply"]>,
  valueBytes = Number.POSITIVE_INFINITY,
): Update<Reply> {
  return {
    ...{ bytes, valueBytes },
    apply: (found, at) => {
      try {
        return apply(found, at);
      } catch (error) {
        if (error instanceof RedisError) return { entry: found, answer: error };
        throw error;
      }
    },
  };
}
