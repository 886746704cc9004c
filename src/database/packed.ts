// How a value is in its row: as it is, or packed into fewer bytes. The row's content type tells, because whoever writes a
// value writes that as well, a version of this program that knows nothing of packing too. So a row never says of a value
// what is true of another.
//
// Small values have little of their own to find repetitions in: they are packed with a dictionary, which is what values of
// their namespace have in common. Large ones are packed by zstd alone.

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CONTENT_TYPE_BYTES, DICTIONARY_VALUE_BYTES } from "../limits.ts";
import { StoreError } from "../store/error.ts";
import type { Content, EntryKey } from "../store/store.ts";

/** What values of a namespace have in common, and the codec that makes use of it. */
export interface Dictionary {
  /** A hash of its bytes, in base64url: so a value is never unpacked with another. */
  id: string;
  bytes: Buffer;
  /** Undefined where it can't. */
  compress(value: Buffer): Buffer | undefined;
  /** The value of exactly so many bytes; where it is anything else, undefined, another length or an error. */
  decompress(compressed: Buffer, bytes: number): Buffer | undefined;
}

/** Where dictionaries are found. */
export interface Dictionaries {
  /** The one with which values are packed that are about to be written; none for keys that no client can name. */
  forValue(key: EntryKey, content: Content): Dictionary | "none" | undefined;
  /** The one with this id; a promise where it has to be fetched, which may reject with a `StoreError`. */
  withId(id: string): Dictionary | Promise<Dictionary>;
}

/** A row's value and content type, as the row has them. */
export interface Stored {
  content_type: string;
  value: Buffer;
}

/** No content type begins so. Then the codec, a slash, the value's length, a semicolon, and its content type. */
const PACKED = "\x01";
const PACKED_CODE = 1;
const ZSTD = "zstd";
const RADIX = 36;
/** Of so few bytes a row has little less, because of what it has besides. */
export const LEAST_BYTES = 128;
/** What is not smaller by a tenth is not worth the time of its readers. */
const WORTH = 0.9;

const CHUNK_BYTES = { spare: 256, most: 64 * 1024 };

/** Whether a row's value is packed, as SQL. */
export const IS_PACKED = `ORD(content_type) = ${PACKED_CODE}`;

/** Packs nothing, and can't read what was packed with a dictionary. */
export const NO_DICTIONARIES: Dictionaries = {
  forValue: () => undefined,
  withId: () => Promise.reject(new StoreError("internal", "a dictionary is needed, and none can be had")),
};

/** As it is to be stored. */
export function pack(content: Content, dictionary: Dictionary | "none" | undefined): Content {
  const { value, contentType } = content;
  if (dictionary === undefined || value.length < LEAST_BYTES) return content;
  const isSmall = dictionary !== "none" && value.length <= DICTIONARY_VALUE_BYTES;
  const codec = isSmall ? dictionary.id : ZSTD;
  const description = `${PACKED}${codec}/${value.length.toString(RADIX)};${contentType}`;
  if (description.length > CONTENT_TYPE_BYTES) return content;
  const packed = isSmall ? dictionary.compress(value) : zstdCompressSync(value, inOneChunk(value.length));
  if (!packed || packed.length > WORTH * value.length) return content;
  return { ...content, contentType: description, value: packed };
}

/** What a row's content type says; of a value that is not packed, nothing but that. */
export function describe(contentType: string): { contentType: string; codec?: string; valueBytes?: number } {
  if (contentType.charCodeAt(0) !== PACKED_CODE) return { contentType };
  const end = contentType.indexOf(";");
  const slash = contentType.indexOf("/");
  const valueBytes = Number.parseInt(contentType.slice(slash + 1, end), RADIX);
  if (slash < 0 || slash > end || Number.isNaN(valueBytes)) {
    throw new StoreError("internal", "a row's description of its value can't be read");
  }
  return { contentType: contentType.slice(end + 1), codec: contentType.slice(PACKED.length, slash), valueBytes };
}

/** The dictionaries that rows' values need, by their ids. */
export async function dictionariesOf(rows: Stored[], dictionaries: Dictionaries): Promise<Map<string, Dictionary>> {
  const needed = new Map<string, Dictionary>();
  for (const { content_type, value } of rows) {
    // The rows that tell of their statement have none, and neither has one whose value was not asked for.
    const codec = content_type && value ? describe(content_type).codec : undefined;
    if (codec === undefined || codec === ZSTD || needed.has(codec)) continue;
    needed.set(codec, await dictionaries.withId(codec));
  }
  return needed;
}

/** A row's value. */
export function unpack({ content_type, value }: Stored, dictionaries: Map<string, Dictionary>): Buffer {
  const { codec, valueBytes = 0 } = describe(content_type);
  if (codec === undefined) return value;
  try {
    const unpacked =
      codec === ZSTD
        ? zstdDecompressSync(value, { maxOutputLength: valueBytes, ...inOneChunk(valueBytes) })
        : dictionaries.get(codec)?.decompress(value, valueBytes);
    if (unpacked?.length === valueBytes) return unpacked;
  } catch {
    // Its own message is of no use without the value.
  }
  throw new StoreError("internal", "a value can't be unpacked");
}

/**
 * zlib's option for a result of at most so many bytes: one chunk for all of it, unless it is large. By default zlib takes
 * 16 kB for each value. With bytes to spare it need not take a second chunk to find that nothing follows.
 */
function inOneChunk(bytes: number): { chunkSize: number } {
  return { chunkSize: Math.min(CHUNK_BYTES.most, bytes + CHUNK_BYTES.spare) };
}
