// /v1/kv/{ns}: pages of a namespace's keys, and the deletion of those with a prefix.

import { z } from "zod";
import { KEY_BYTES, LIST_ENTRIES, LIST_VALUE_BYTES } from "../limits.ts";
import {
  behindPrefix,
  type Consistency,
  type EntryKey,
  entryKey,
  following,
  type ListedEntry,
  type ListPage,
  type ListQuery,
  type Store,
} from "../store/store.ts";
import { jsonAnswer } from "./answer.ts";
import { byteParametersOf, bytesField } from "./bytes.ts";
import { etagOf } from "./conditional.ts";
import { cursorOf, INVALID_CURSOR, restOf } from "./cursor.ts";
import { expiryDocument, validated } from "./expiry.ts";
import { groupedPage } from "./groups.ts";
import { namespaceOf } from "./path.ts";
import { badRequest } from "./problem.ts";

const DEFAULT_LIMIT = 100;
/** Keys that one request deletes at most. */
const DELETED = 10_000;

const bytes = z.string().max(KEY_BYTES, `must be at most ${KEY_BYTES} bytes`);
const switched = z.enum(["true", "false"]).transform((text) => text === "true");
const limit = z
  .string()
  .regex(/^\d{1,4}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.number().min(1).max(LIST_ENTRIES));

const listQuery = z.strictObject({
  prefix: bytes.optional(),
  start: bytes.optional(),
  start_after: bytes.optional(),
  end: bytes.optional(),
  reverse: switched.optional(),
  delimiter: bytes.min(1).optional(),
  limit: limit.optional(),
  cursor: z.string().optional(),
  include: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(["metadata", "value"])))
    .optional(),
  order: z.enum(["key", "any"]).optional(),
  consistency: z.enum(["strong", "eventual"]).optional(),
});
const deleteQuery = z.strictObject({ prefix: bytes, dry_run: switched.optional(), cursor: z.string().optional() });

/** What a page shows of an entry beside what it always does. */
type Include = readonly ("metadata" | "value")[];

/** An entry with its value, where that was asked for. */
type Shown = ListedEntry & { value?: Buffer };

export async function listKeys(request: Request, store: Store): Promise<Response> {
  const namespace = namespaceOf(request);
  const query = validated(listQuery, byteParametersOf(request), "invalid_parameter");
  const { delimiter, cursor, include = [], limit = DEFAULT_LIMIT, ...listed } = query;
  const { order = "key", reverse = false, consistency } = listed;
  if (order === "any" && (delimiter !== undefined || reverse)) {
    throw badRequest("invalid_parameter", "reverse and delimiter are for order=key.");
  }
  const bounds = boundsOf(namespace, listed);
  const asked = [namespace, delimiter, order, reverse, bounds.start.toString("base64"), bounds.end.toString("base64")];
  const rest = cursor === undefined ? undefined : restOf(asked, cursor);
  const valueBytes = include.includes("value") ? LIST_VALUE_BYTES : undefined;
  const page: ListQuery = { ...bounds, order, reverse, limit, valueBytes, rest, consistency };
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
  const shown = include.includes("value") ? await withValues(store, entries, request, consistency) : entries;
  const keyOf = (key: Buffer) => bytesField("key", key.subarray(namespace.length + 1));
  return jsonAnswer(request, {
    entries: shown.map((entry) => ({ ...keyOf(entry.key), ...describe(entry, include) })),
    ...(groups && { prefixes: groups.map((group) => prefixOf(group.subarray(namespace.length + 1))) }),
    cursor: left && cursorOf(asked, left),
  });
}

export async function deleteKeys(request: Request, store: Store): Promise<Response> {
  const namespace = namespaceOf(request);
  const {
    prefix,
    dry_run: isTrial = false,
    cursor,
  } = validated(deleteQuery, byteParametersOf(request), "invalid_parameter");
  const bounds = boundsOf(namespace, { prefix });
  const asked = [namespace, "delete", prefix];
  let rest = cursor === undefined ? undefined : restOf(asked, cursor);
  let deleted = 0;
  do {
    const query: ListQuery = { ...bounds, order: "any", reverse: false, limit: LIST_ENTRIES, rest };
    const page = await listPage(store, query, request).catch(goOnLater);
    const outcomes = await Promise.allSettled(
      (page?.entries ?? []).map(({ key }) => (isTrial ? true : store.delete(key, undefined, request.signal))),
    );
    const done = outcomes.filter(({ status }) => status === "fulfilled").length;
    deleted += done;
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    // What was deleted is told; what was not is found again from here.
    if (failure) goOnLater(failure.reason);
    if (!page || failure) break;
    rest = page.rest ?? undefined;
  } while (rest && deleted < DELETED);
  return jsonAnswer(request, { deleted, cursor: rest ? cursorOf(asked, rest) : null });

  function goOnLater(error: unknown): undefined {
    if (deleted === 0) throw error;
  }
}

function boundsOf(
  namespace: string,
  { prefix = "", start, start_after, end }: { prefix?: string; start?: string; start_after?: string; end?: string },
) {
  if (start !== undefined && start_after !== undefined) {
    throw badRequest("invalid_parameter", "Give one of start and start_after.");
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
async function listPage(store: Store, query: ListQuery, { signal }: Request): Promise<ListPage> {
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
    ...(include.includes("metadata") && { metadata: metadata === null ? null : JSON.parse(metadata) }),
    ...(value && bytesField("value", value)),
  };
}

/** Text, or an object where it is not UTF-8. */
function prefixOf(bytes: Buffer): string | Record<string, string> {
  const field = bytesField("key", bytes);
  return field.key ?? field;
}
