// Requests that are about one key and say nothing unusual: those that come while others are under way go as one, by the
// client. Whatever a batch can't say exactly goes alone.

import { createClient } from "../client/client.ts";
import { KVError } from "../client/error.ts";
import type { Client, Info } from "../client/types.ts";
import { answer, jsonAnswer } from "../http/answer.ts";
import { DEFAULT_CONTENT_TYPE } from "../http/content.ts";
import { entryHeaders } from "../http/entry.ts";
import { isWellEscaped, unescaped } from "../http/escapes.ts";
import { instantOf } from "../http/expiry.ts";
import { ENTRIES_PATH, rawPath, rawQuery } from "../http/path.ts";
import { NOT_FOUND, PRECONDITION_FAILED, problemAnswer, problemOf } from "../http/problem.ts";
import { KEY_BYTES } from "../limits.ts";
import { StoreError } from "../store/error.ts";
import { lost } from "./alone.ts";
import type { Slices } from "./slices.ts";

/** Of one namespace and token at one slice. While they are under way, calls gather for the next. */
const REQUESTS = 4;
/** Namespaces and tokens at a time: the one that was first used is forgotten. */
const CLIENTS = 1_000;
/** What is larger is better sent as it is. */
const VALUE_BYTES = 64 * 1024;
/** Beyond what a request may take, for the invocation of a Worker that waits for another's. */
const SLACK_MS = 1_000;

const PATH = new RegExp(`^${ENTRIES_PATH}([A-Za-z0-9_-]{1,64})/([^/]+)(/ttl)?$`);
const QUERY = /^(?:\?(?:(ttl|ttl_ms)=([1-9]\d{0,8})|(keep_ttl)=true))?$/;
const TOKEN = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/;
const VERSION = /^"[0-9a-f]{20}"$/;
const CONTENT_TYPE = /^[\w.+-]{1,64}\/[\w.+-]{1,64}(?:; ?charset=[\w-]{1,32})?$/;
/** What makes a request unusual. */
const UNUSUAL = ["KV-Metadata", "Content-Encoding", "Content-Range", "Origin"];
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Together {
  private readonly clients = new Map<string, Client>();

  constructor(
    private readonly slices: Slices,
    private readonly timeoutMs: number,
  ) {}

  /** Undefined where the request has to go alone: nothing was changed for it. Throws a StoreError where no answer came. */
  async answer(request: Request, body: Buffer | undefined): Promise<Response | undefined> {
    const call = this.callOf(request, body);
    if (!call) return undefined;
    try {
      return await inTime(call(), this.timeoutMs + SLACK_MS, request.method);
    } catch (error) {
      if (!(error instanceof KVError)) throw error;
      const { status, code, outcomeUnknown } = error;
      // Refused, and a batch says less of why.
      if (status >= 400 && status < 500) return undefined;
      // Not sent, or to read only: another slice may do it.
      if (code === "unreachable" || (code === "network" && !outcomeUnknown)) return undefined;
      if (isOfStore(code)) return problemAnswer(request, problemOf(new StoreError(code, code)));
      throw lost(error);
    }
  }

  private callOf(request: Request, body: Buffer | undefined): (() => Promise<Response | undefined>) | undefined {
    const { method, headers } = request;
    const path = rawPath(request);
    const [, namespace, segment = "", ttl] = PATH.exec(path) ?? [];
    const query = QUERY.exec(rawQuery(request));
    if (namespace === undefined || !query || !isWellEscaped(segment)) return undefined;
    const key = Buffer.from(unescaped(segment), "latin1");
    if (key.length > KEY_BYTES || /^\.\.?$/.test(key.toString("latin1"))) return undefined;
    if (UNUSUAL.some((name) => headers.has(name))) return undefined;
    const authorization = headers.get("Authorization");
    const token = authorization === null ? undefined : TOKEN.exec(authorization)?.[1];
    if (authorization !== null && token === undefined) return undefined;
    const ifMatch = headers.get("If-Match") ?? undefined;
    const ifNoneMatch = headers.get("If-None-Match") ?? undefined;
    const isPlain = query[0] === "" && ifMatch === undefined && ifNoneMatch === undefined;
    const client = () => this.clientOf(request, namespace, token);

    if (method === "PUT" && !ttl) {
      if (!body || body.length > VALUE_BYTES) return undefined;
      if (ifMatch !== undefined && !VERSION.test(ifMatch)) return undefined;
      if (ifNoneMatch !== undefined && ifNoneMatch !== "*") return undefined;
      const contentType = headers.get("Content-Type") || DEFAULT_CONTENT_TYPE;
      if (!CONTENT_TYPE.test(contentType)) return undefined;
      const [, unit, amount, keepTtl] = query;
      const options = {
        ...{ ifMatch, ifNoneMatch, contentType, keepTtl: keepTtl !== undefined },
        ...(unit && { [unit === "ttl" ? "ttl" : "ttlMs"]: Number(amount) }),
      };
      return async () => {
        const etag = await client().put(key, textOr(body), options);
        return etag === null ? problemAnswer(request, PRECONDITION_FAILED) : answer(request, 204, { ETag: etag });
      };
    }
    if (method === "DELETE" && !ttl) {
      if (query[0] !== "" || ifNoneMatch !== undefined || (ifMatch !== undefined && !VERSION.test(ifMatch)))
        return undefined;
      return async () => {
        const isDone = await client().delete(key, { ifMatch });
        return isDone ? answer(request, 204, {}) : problemAnswer(request, PRECONDITION_FAILED);
      };
    }
    if (!isPlain) return undefined;
    if (method === "DELETE") {
      return async () => {
        const isDone = await client().persist(key);
        return isDone ? answer(request, 204, {}) : problemAnswer(request, NOT_FOUND);
      };
    }
    if (method === "GET" && ttl) {
      return async () => {
        const found = await client().ttl(key);
        if (!found) return problemAnswer(request, NOT_FOUND);
        const { ttlMs, expiresAt } = found;
        return jsonAnswer(request, { ttl_ms: ttlMs, expires_at: expiresAt && instantOf(expiresAt.getTime()) });
      };
    }
    if (method === "GET") {
      return async () => {
        const found = await client().getWithInfo(key, { type: "bytes" });
        return found ? entryAnswer(request, found, Buffer.from(found.value)) : problemAnswer(request, NOT_FOUND);
      };
    }
    if (method === "HEAD" && !ttl) {
      return async () => {
        const found = await client().head(key);
        return found ? entryAnswer(request, found) : problemAnswer(request, NOT_FOUND);
      };
    }
    return undefined;
  }

  private clientOf(request: Request, namespace: string, token: string | undefined): Client {
    const [url = ""] = this.slices.urlsFor(request);
    const name = `${url} ${namespace} ${token ?? ""}`;
    const known = this.clients.get(name);
    if (known) return known;
    const { timeoutMs } = this;
    const client = createClient({ url, namespace, token, timeoutMs, retries: 0, maxRequests: REQUESTS });
    if (this.clients.size >= CLIENTS) this.clients.delete(this.clients.keys().next().value as string);
    this.clients.set(name, client);
    return client;
  }
}

/** Undefined where a batch has lost how the metadata was written, which is kept as it came. */
function entryAnswer(request: Request, info: Info, value?: Buffer): Response | undefined {
  const { etag, contentType, metadata, bytes, expiresAt } = info;
  if (metadata !== null) return undefined;
  const expiry = expiresAt && { atMs: expiresAt.getTime() };
  const headers = entryHeaders({ version: etag.slice(1, -1), metadata, expiry });
  return answer(request, 200, { ...headers, "Content-Type": contentType, "Content-Length": String(bytes) }, value);
}

/** As text, which a batch need not encode. */
function textOr(value: Buffer): string | Buffer {
  try {
    return text.decode(value);
  } catch {
    return value;
  }
}

function isOfStore(code: string): code is "unavailable" | "overloaded" | "outcome_unknown" | "internal" {
  return /^(unavailable|overloaded|outcome_unknown|internal)$/.test(code);
}

/**
 * By a timer of this request: a Worker's invocation that waits for nothing of its own is taken for one that hangs, and
 * what it waits for may have been another's that has ended.
 */
function inTime<T>(call: Promise<T>, timeoutMs: number, method: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const isWrite = method === "PUT" || method === "DELETE";
    const timer = setTimeout(() => reject(new KVError("timeout", "No answer came.", 0, isWrite)), timeoutMs);
    call.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
