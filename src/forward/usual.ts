// What is usual: a request about one key that a batch can say exactly. What it asks for is read here, and answered as a
// server does.

import type { Client, Info } from "../client/types.ts";
import { answer, jsonAnswer } from "../http/answer.ts";
import { DEFAULT_CONTENT_TYPE } from "../http/content.ts";
import { entryHeaders } from "../http/entry.ts";
import { isWellEscaped, unescaped } from "../http/escapes.ts";
import { instantOf } from "../http/expiry.ts";
import { ENTRIES_PATH, rawPath, rawQuery } from "../http/path.ts";
import { NOT_FOUND, PRECONDITION_FAILED, problemAnswer } from "../http/problem.ts";
import { KEY_BYTES } from "../limits.ts";

/** What is larger is better sent as it is. */
const VALUE_BYTES = 64 * 1024;

const PATH = new RegExp(`^${ENTRIES_PATH}([A-Za-z0-9_-]{1,64})/([^/]+)(/ttl)?$`);
const DOTS = /^\.\.?$/;
const TOKEN = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/;
const UNUSUAL_HEADERS = ["KV-Metadata", "Content-Encoding", "Content-Range", "Origin"];
const EXPIRY = /^(?:\?(?:(ttl|ttl_ms)=([1-9]\d{0,8})|(keep_ttl)=true))?$/;
const VERSION = /^"[0-9a-f]{20}"$/;
const CONTENT_TYPE = /^[\w.+-]{1,64}\/[\w.+-]{1,64}(?:; ?charset=[\w-]{1,32})?$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Asks by the client of the request's namespace and token; undefined where the answer would not be exactly a server's. */
type Ask = (client: Client) => Promise<Response | undefined>;

/** Of a request that is usual as far as its path and its token are concerned. */
interface Asked {
  request: Request;
  key: Buffer;
  query: string;
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  body: Buffer | undefined;
}

export interface Usual {
  namespace: string;
  token: string | undefined;
  ask: Ask;
}

/** Undefined for a request that is not usual. */
export function usual(request: Request, body: Buffer | undefined): Usual | undefined {
  const { method, headers } = request;
  const [, namespace, segment = "", part = ""] = PATH.exec(rawPath(request)) ?? [];
  const read = CALLS[method + part];
  if (!read || namespace === undefined || !isWellEscaped(segment)) return undefined;
  const name = unescaped(segment);
  if (name.length > KEY_BYTES || DOTS.test(name)) return undefined;
  if (UNUSUAL_HEADERS.some((each) => headers.has(each))) return undefined;
  const authorization = headers.get("Authorization");
  const token = authorization === null ? undefined : TOKEN.exec(authorization)?.[1];
  if (authorization !== null && token === undefined) return undefined;
  const ask = read({
    ...{ request, body, key: Buffer.from(name, "latin1"), query: rawQuery(request) },
    ifMatch: headers.get("If-Match") ?? undefined,
    ifNoneMatch: headers.get("If-None-Match") ?? undefined,
  });
  return ask && { namespace, token, ask };
}

/** By method and what follows the key. */
const CALLS: Record<string, (asked: Asked) => Ask | undefined> = {
  PUT: put,
  DELETE: remove,
  GET: plain(async (client, { request, key }) => {
    const found = await client.getWithInfo(key, { type: "bytes" });
    return found ? entryAnswer(request, found, Buffer.from(found.value)) : problemAnswer(request, NOT_FOUND);
  }),
  HEAD: plain(async (client, { request, key }) => {
    const found = await client.head(key);
    return found ? entryAnswer(request, found) : problemAnswer(request, NOT_FOUND);
  }),
  "GET/ttl": plain(async (client, { request, key }) => {
    const found = await client.ttl(key);
    if (!found) return problemAnswer(request, NOT_FOUND);
    const { ttlMs, expiresAt } = found;
    return jsonAnswer(request, { ttl_ms: ttlMs, expires_at: expiresAt && instantOf(expiresAt.getTime()) });
  }),
  "DELETE/ttl": plain(async (client, { request, key }) =>
    (await client.persist(key)) ? answer(request, 204, {}) : problemAnswer(request, NOT_FOUND),
  ),
};

/** Of a call that is usual without a query and conditions. */
function plain(ask: (client: Client, asked: Asked) => Promise<Response | undefined>) {
  return (asked: Asked): Ask | undefined => {
    const { query, ifMatch, ifNoneMatch } = asked;
    if (query || ifMatch !== undefined || ifNoneMatch !== undefined) return undefined;
    return (client) => ask(client, asked);
  };
}

function put({ request, key, query, ifMatch, ifNoneMatch, body }: Asked): Ask | undefined {
  const contentType = request.headers.get("Content-Type") || DEFAULT_CONTENT_TYPE;
  const expiry = EXPIRY.exec(query);
  if (!body || body.length > VALUE_BYTES || !expiry || !CONTENT_TYPE.test(contentType)) return undefined;
  if (!isUsualMatch(ifMatch) || (ifNoneMatch !== undefined && ifNoneMatch !== "*")) return undefined;
  const [, unit, amount, keepTtl] = expiry;
  const options = {
    ...{ ifMatch, ifNoneMatch, contentType, keepTtl: keepTtl !== undefined },
    ...(unit && { [unit === "ttl" ? "ttl" : "ttlMs"]: Number(amount) }),
  };
  return async (client) => {
    const etag = await client.put(key, textOr(body), options);
    return etag === null ? problemAnswer(request, PRECONDITION_FAILED) : answer(request, 204, { ETag: etag });
  };
}

function remove({ request, key, query, ifMatch, ifNoneMatch }: Asked): Ask | undefined {
  if (query || ifNoneMatch !== undefined || !isUsualMatch(ifMatch)) return undefined;
  return async (client) => {
    const isDone = await client.delete(key, { ifMatch });
    return isDone ? answer(request, 204, {}) : problemAnswer(request, PRECONDITION_FAILED);
  };
}

const isUsualMatch = (ifMatch: string | undefined) => ifMatch === undefined || VERSION.test(ifMatch);

/** Undefined where a batch has lost how the metadata was written, which is kept as it came. */
function entryAnswer(request: Request, info: Info, value?: Buffer): Response | undefined {
  const { etag, contentType, metadata, bytes, expiresAt } = info;
  if (metadata !== null) return undefined;
  const expiry = expiresAt && { atMs: expiresAt.getTime() };
  const headers = entryHeaders({ version: etag.slice(1, -1), metadata, expiry });
  return answer(request, 200, { ...headers, "Content-Type": contentType, "Content-Length": String(bytes) }, value);
}

/** As text where it is UTF-8: a batch then need not encode it. */
function textOr(value: Buffer): string | Buffer {
  try {
    return utf8.decode(value);
  } catch {
    return value;
  }
}
