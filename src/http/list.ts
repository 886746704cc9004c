// /v1/kv/{ns}: pages of a namespace's keys, and the deletion of those with a prefix.

import { z } from "zod";
import { KEY_BYTES, LIST_ENTRIES, LIST_VALUE_BYTES } from "../limits.ts";
import { StoreError } from "../store/error.ts";
import {
  behindPrefix,
  type Consistency,
  type EntryKey,
  entryKey,
  following,
  type ListedEntry,
  type ListPage,
  type ListQuery,
  type ListRest,
  type Store,
} from "../store/store.ts";
import { jsonAnswer } from "./answer.ts";
import { byteParametersOf, bytesField } from "./bytes.ts";
import { etag, etagOf } from "./conditional.ts";
import { metadataDocument } from "./content.ts";
import { cursorOf, INVALID_CURSOR, restOf } from "./cursor.ts";
import { consistency } from "./entry.ts";
import { answeredExpiry, expiryDocument } from "./expiry.ts";
import { groupedPage } from "./groups.ts";
import { callsOf, type Operations, READ_PROBLEMS, WRITE_PROBLEMS } from "./operation.ts";
import { namespaceOf } from "./path.ts";
import { Problem } from "./problem.ts";
import { validated } from "./validation.ts";

const PATH = "/v1/kv/{ns}";
const DEFAULT_LIMIT = 100;
/** Keys that one request deletes at most. */
const DELETED = 10_000;

const bytes = z.string().max(KEY_BYTES, `must be at most ${KEY_BYTES} bytes`);
const switched = z.enum(["true", "false"]).transform((text) => text === "true");
/** How many entries a page has, in a query string. */
export const pageLimit = z
  .string()
  .regex(/^\d{1,4}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.number().min(1).max(LIST_ENTRIES));

const cursor = z.string().optional().describe("Where to go on: the `cursor` of the page before, with the same query.");

const listQuery = z.strictObject({
  prefix: bytes.optional().describe("Only keys that begin so."),
  start: bytes.optional().describe("Only this key and those behind it."),
  start_after: bytes.optional().describe("Only keys behind this one."),
  end: bytes.optional().describe("Only keys before this one."),
  reverse: switched.optional().describe("From the last key to the first."),
  delimiter: bytes
    .min(1)
    .optional()
    .describe("Keys that have the same text up to it, behind the prefix, are one item of `prefixes`."),
  limit: pageLimit
    .optional()
    .describe(`Most entries and prefixes of a page: 1 to ${LIST_ENTRIES}, ${DEFAULT_LIMIT} by default.`),
  cursor,
  include: z
    .string()
    .regex(/^(?:metadata|value)(?:,(?:metadata|value))*$/)
    .transform((text) => text.split(","))
    .optional()
    .describe("What entries have besides: `metadata`, `value`, or both with a comma between."),
  order: z
    .enum(["key", "any"])
    .optional()
    .describe(
      "`key`, the default, is the order of the keys' bytes; every shard is asked. `any` takes one shard after the other, so that a page costs the same however many there are.",
    ),
  consistency,
});
const deleteQuery = z.strictObject({
  prefix: bytes.describe("Keys that begin so are deleted; with an empty one all of the namespace."),
  dry_run: switched.optional().describe("Counts them only."),
  cursor,
});

const entry = z
  .strictObject({
    key: z.string().optional().describe("The key, where it is text."),
    key_base64: z.base64().optional().describe("The key, where it is not UTF-8."),
    etag,
    expires_at: answeredExpiry.expires_at,
    bytes: z.int().min(0).describe("Of the value."),
    content_type: z.string(),
    metadata: z.unknown().optional(),
    value: z.string().optional(),
    value_base64: z.base64().optional(),
  })
  .meta({ id: "Listed" });
const prefixes = z.array(z.union([z.string(), z.strictObject({ key_base64: z.base64() })]));
const nextCursor = z.string().nullable().describe("Where the next page begins; null at the end.");

export const operations = {
  listKeys: {
    method: "GET",
    path: PATH,
    summary: "Lists keys",
    description:
      "A page has keys that live, and may be short while there is a `cursor`. A listing is no snapshot, but a key that is there throughout it is in exactly one of its pages, also while shards are split and merged.",
    query: listQuery,
    answers: {
      200: {
        description: "A page.",
        body: {
          json: z
            .strictObject({ entries: z.array(entry), prefixes: prefixes.optional(), cursor: nextCursor })
            .meta({ id: "Page" }),
        },
      },
    },
    problems: [...READ_PROBLEMS, "invalid_cursor"],
  },
  deleteKeys: {
    method: "DELETE",
    path: PATH,
    summary: "Deletes keys with a prefix",
    description: `One request deletes some ${DELETED} keys at most, and fewer where something fails: go on with \`cursor\` until it is null.`,
    query: deleteQuery,
    answers: {
      200: {
        description: "How many were deleted.",
        body: { json: z.strictObject({ deleted: z.int().min(0), cursor: nextCursor }).meta({ id: "Deleted" }) },
      },
    },
    problems: [...WRITE_PROBLEMS, "invalid_cursor"],
  },
} satisfies Operations;

export function listCalls(store: Store) {
  return callsOf(operations, {
    listKeys: (request) => listKeys(request, store),
    deleteKeys: (request) => deleteKeys(request, store),
  });
}

/** What a page shows of an entry beside what it always does. */
type Include = readonly string[];

/** An entry with its value, where that was asked for. */
type Shown = ListedEntry & { value?: Buffer };

async function listKeys(request: Request, store: Store): Promise<Response> {
  const namespace = namespaceOf(request);
  const query = validated(listQuery, byteParametersOf(request), "invalid_parameter");
  const { delimiter, cursor, include = [], limit = DEFAULT_LIMIT, ...listed } = query;
  const { order = "key", reverse = false } = listed;
  if (order === "any" && (delimiter !== undefined || reverse)) {
    throw new Problem("invalid_parameter", "reverse and delimiter are for order=key.");
  }
  const bounds = boundsOf(namespace, listed);
  const asked = [namespace, delimiter, order, reverse, bounds.start.toString("base64"), bounds.end.toString("base64")];
  const rest = cursor === undefined ? undefined : restOf(asked, cursor);
  const valueBytes = include.includes("value") ? LIST_VALUE_BYTES : undefined;
  const page: ListQuery = { ...bounds, order, reverse, limit, valueBytes, rest, consistency: query.consistency };
  const list = (part: ListQuery) => listPage(store, part, request);
  const {
    entries,
    groups,
    rest: left,
  } = delimiter === undefined
    ? { ...(await list(page)), groups: undefined }
    : await groupedPage(list, page, {
        at: entryKey(namespace, listed.prefix ?? "").length,
        delimiter: Buffer.from(delimiter, "latin1"),
      });
  const shown = include.includes("value") ? await withValues(store, entries, request, query.consistency) : entries;
  const keyOf = (key: Buffer) => bytesField("key", key.subarray(namespace.length + 1));
  return jsonAnswer(request, {
    entries: shown.map((entry) => ({ ...keyOf(entry.key), ...describe(entry, include) })),
    ...(groups && { prefixes: groups.map((group) => prefixOf(group.subarray(namespace.length + 1))) }),
    cursor: left && cursorOf(asked, left),
  });
}

/** Keys that were deleted; without a cursor to go on from, all are. */
interface Deleted {
  deleted: number;
  isEnd: boolean;
  rest: ListRest | undefined;
}

async function deleteKeys(request: Request, store: Store): Promise<Response> {
  const namespace = namespaceOf(request);
  const {
    prefix,
    dry_run: isTrial = false,
    cursor,
  } = validated(deleteQuery, byteParametersOf(request), "invalid_parameter");
  const bounds = boundsOf(namespace, { prefix });
  const asked = [namespace, "delete", prefix];
  const from = cursor === undefined ? undefined : restOf(asked, cursor);
  const { deleted, isEnd, rest } = await deleteSome(store, bounds, from, request, isTrial);
  return jsonAnswer(request, { deleted, cursor: isEnd ? null : cursorOf(asked, rest) });
}

/** Deletes what is within the bounds, some DELETED keys at most, or counts them only. */
export async function deleteSome(
  store: Store,
  bounds: Bounds,
  from: ListRest | undefined,
  request: Request,
  isTrial = false,
): Promise<Deleted> {
  let rest = from;
  let deleted = 0;
  let isEnd = false;
  try {
    do {
      const query: ListQuery = { ...bounds, order: "any", reverse: false, limit: LIST_ENTRIES, rest };
      const page = await listPage(store, query, request);
      const outcomes = await Promise.allSettled(
        page.entries.map(({ key }) => (isTrial ? true : store.delete(key, undefined, request.signal))),
      );
      deleted += outcomes.filter(({ status }) => status === "fulfilled").length;
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      isEnd = page.rest === null;
      rest = page.rest ?? undefined;
    } while (!isEnd && deleted < DELETED);
  } catch (error) {
    // What was deleted is told, and what was not is found again from where it failed.
    if (deleted === 0 || !(error instanceof StoreError)) throw error;
  }
  return { deleted, isEnd, rest };
}

type Bounds = Pick<ListQuery, "start" | "end">;

/** The keys of a namespace that are asked for, each a text of bytes as characters (latin1). */
export function boundsOf(
  namespace: string,
  { prefix = "", start, start_after, end }: { prefix?: string; start?: string; start_after?: string; end?: string },
): Bounds {
  if (start !== undefined && start_after !== undefined) {
    throw new Problem("invalid_parameter", "Give one of start and start_after.");
  }
  const within: Buffer = entryKey(namespace, prefix);
  const starts = [within, ...(start === undefined ? [] : [entryKey(namespace, start)])];
  if (start_after !== undefined) starts.push(following(entryKey(namespace, start_after)) as EntryKey);
  const ends = [behindPrefix(within), ...(end === undefined ? [] : [entryKey(namespace, end)])];
  return {
    start: starts.toSorted(Buffer.compare).at(-1) as Buffer,
    end: ends.toSorted(Buffer.compare)[0] as Buffer,
  };
}

/** Throws a 400 where the page's cursor is of another kind of listing. */
export async function listPage(store: Store, query: ListQuery, { signal }: Request): Promise<ListPage> {
  try {
    return await store.list(query, signal);
  } catch (error) {
    throw error instanceof RangeError ? INVALID_CURSOR : error;
  }
}

/** As they are by now, without those that have gone meanwhile. */
async function withValues(
  store: Store,
  entries: ListedEntry[],
  { signal }: Request,
  consistency?: Consistency,
): Promise<Shown[]> {
  const found = entries.map(async ({ key }) => {
    const entry = await store.get(key, signal, consistency);
    return entry && { ...entry, key };
  });
  return (await Promise.all(found)).filter((entry) => entry !== null);
}

function describe({ version, valueBytes, contentType, metadata, expiry, value }: Shown, include: Include) {
  return {
    etag: etagOf(version),
    expires_at: expiryDocument(expiry).expires_at,
    bytes: valueBytes,
    content_type: contentType,
    ...(include.includes("metadata") && { metadata: metadataDocument(metadata) }),
    ...(value && bytesField("value", value)),
  };
}

/** Text, or an object where it is not UTF-8. */
function prefixOf(bytes: Buffer): string | Record<string, string> {
  const field = bytesField("key", bytes);
  return field.key ?? field;
}
