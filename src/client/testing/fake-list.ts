// A fake, until the app does it: GET and DELETE /v1/kv/{ns}, over the keys that were ever named.

import type { ModelStore } from "../../store/model.ts";
import { escaped, inJson } from "./fake-batch.ts";
import { problem } from "./fake-increment.ts";

type Query = Record<string, string | undefined>;

/** Parameters with bytes as characters, for keys need not be UTF-8. */
function queryOf(request: Request): Query {
  const [, text = ""] = request.url.split("?");
  const pairs = text.split("&").map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return [
      name,
      Buffer.from(
        value.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        "latin1",
      ).toString("latin1"),
    ];
  });
  return Object.fromEntries(text ? pairs : []);
}

/** The live keys of a namespace that a query names, in order, after its cursor, which is bound to it. */
function keysOf(request: Request, names: Set<string>, store: ModelStore, query: Query): string[] | undefined {
  const namespace = new URL(request.url).pathname.split("/")[3];
  const { prefix = "", start = "", start_after, end, reverse, cursor } = query;
  const after = cursor === undefined ? undefined : parseCursor(cursor, query);
  if (after === null) return undefined;
  const keys = [...names]
    .filter((name) => name.startsWith(`${namespace}/`) && store.entry(name))
    .map((name) => name.slice(`${namespace}/`.length))
    .filter((key) => key.startsWith(prefix) && key >= start && !(end !== undefined && key >= end))
    .filter((key) => start_after === undefined || key > start_after)
    .sort();
  if (reverse === "true") keys.reverse();
  return after === undefined ? keys : keys.filter((key) => (reverse === "true" ? key < after : key > after));
}

const bound = ({ cursor: _, ...query }: Query) => JSON.stringify(query);
const cursorAfter = (key: string, query: Query) =>
  Buffer.from(JSON.stringify([bound(query), key])).toString("base64url");

function parseCursor(cursor: string, query: Query): string | null {
  try {
    const [asked, key] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return asked === bound(query) ? key : null;
  } catch {
    return null;
  }
}

export function fakeList(request: Request, names: Set<string>, store: ModelStore): Response {
  const query = queryOf(request);
  const keys = keysOf(request, names, store, query);
  if (!keys) return problem(400, "invalid_cursor");
  const namespace = new URL(request.url).pathname.split("/")[3];
  const { prefix = "", delimiter, limit = "100", include = "" } = query;
  if (!(Number(limit) >= 1 && Number(limit) <= 1_000)) return problem(400, "invalid_parameter");
  const entries: object[] = [];
  const prefixes: string[] = [];
  let last: string | undefined;
  let isWhole = true;
  for (const key of keys) {
    const at = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const common = at === -1 ? undefined : key.slice(0, at + (delimiter as string).length);
    if (common !== undefined && prefixes.includes(common)) {
      last = key;
      continue;
    }
    if (entries.length + prefixes.length === Number(limit)) {
      isWhole = false;
      break;
    }
    last = key;
    if (common !== undefined) prefixes.push(common);
    else entries.push(entryOf(key, store.entry(`${namespace}/${key}`) as Entry, include));
  }
  return Response.json({
    entries,
    ...(delimiter && { prefixes: prefixes.map((text) => textOrBytes(Buffer.from(text, "latin1"))) }),
    cursor: isWhole || last === undefined ? null : cursorAfter(last, query),
  });
}

type Entry = NonNullable<ReturnType<ModelStore["entry"]>>;

function entryOf(key: string, { version, valueBytes, contentType, metadata, expiry, value }: Entry, include: string) {
  return {
    ...inJson("key", Buffer.from(key, "latin1")),
    ...{ etag: `"${version}"`, bytes: valueBytes, content_type: contentType },
    expires_at: expiry && new Date(expiry.atMs).toISOString(),
    ...(include.includes("metadata") && metadata !== null && { metadata: JSON.parse(metadata) }),
    ...(include.includes("value") && inJson("value", value)),
  };
}

function textOrBytes(bytes: Buffer): unknown {
  const item = inJson("key", bytes) as { key?: string };
  return item.key ?? item;
}

/** Keys of one step. */
const STEP = 3;

export async function fakeDeletion(
  request: Request,
  names: Set<string>,
  store: ModelStore,
  answerOne: (request: Request) => Promise<Response>,
): Promise<Response> {
  const query = queryOf(request);
  if (query.prefix === undefined) return problem(400, "invalid_parameter");
  const keys = keysOf(request, names, store, query);
  if (!keys) return problem(400, "invalid_cursor");
  const step = keys.slice(0, STEP);
  const base = request.url.split("?")[0];
  for (const key of query.dry_run === "true" ? [] : step) {
    await answerOne(
      new Request(`${base}/${escaped(Buffer.from(key, "latin1"))}`, { method: "DELETE", headers: request.headers }),
    );
  }
  const last = step.at(-1);
  return Response.json({
    deleted: step.length,
    cursor: keys.length > STEP && last !== undefined ? cursorAfter(last, query) : null,
  });
}
