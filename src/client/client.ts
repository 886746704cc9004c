// The client: each call of `Client` put into the words of the HTTP contract, and the answers into those of the caller.

import type { Call, Result, Sending } from "./call.ts";
import { asciiJson, bytesOf, defined, escaped, expiryOf, field, integer, keyField, query } from "./encoding.ts";
import { createLists } from "./lists.ts";
import { Pending } from "./pending.ts";
import { createQueue } from "./queue.ts";
import { infoOf, ttlOf, typedValue } from "./result.ts";
import { onAbort } from "./signals.ts";
import { createTransport } from "./transport.ts";
import type { CallOptions, Client, ClientOptions, Key, PutOptions, ReadOptions, Value } from "./types.ts";

/** A larger value goes as its own bytes: as JSON it would cost more than a request of its own. */
const BATCHED_VALUE_LENGTH = 64 * 1024;
/** What no header can hold. */
const UNFIT = /[^\t\x20-\x7e\x80-\xff]/;
/** What no URL can name. */
const NAMELESS = /^\.{0,2}$/;

type Typed = ReadOptions & { type?: "text" | "json" | "bytes" };
type Write = CallOptions & { ifMatch?: string; ifNoneMatch?: string };

/** Makes a client of one namespace; it opens nothing and need not be closed. Throws a TypeError at a wrong namespace. */
export function createClient(options: ClientOptions): Client {
  const { batching = true } = options;
  const enqueue = createQueue(createTransport(options), options.maxRequests);

  function send(parts: Omit<Call, "isOpen" | "settle" | "afterwards">, signal?: AbortSignal): Promise<Result> {
    return new Pending((resolve, reject) => {
      signal?.throwIfAborted();
      const call: Call = {
        ...{ ...parts, isOpen: true, afterwards: [] },
        settle(result, failure) {
          if (!call.isOpen) return;
          call.isOpen = false;
          for (const each of call.afterwards) each();
          if (result) resolve(result);
          else reject(failure);
        },
      };
      if (signal) call.afterwards.push(onAbort(signal, () => call.settle(undefined, signal.reason)));
      enqueue(call);
    });
  }

  /** `method` and what follows the key in the path for the call alone, `fields` for the call within a batch. */
  async function operate(
    key: Key,
    op: string,
    [method, suffix]: [method: string, suffix: string],
    { signal, ifMatch, ifNoneMatch }: Write = {},
    fields: Record<string, unknown> | false = {},
    { headers, body }: { headers?: Record<string, string | undefined>; body?: Sending["body"] } = {},
  ): Promise<Result> {
    const name = escaped(key);
    if (NAMELESS.test(name)) throw new TypeError("No URL can name the empty key, '.' and '..'.");
    const isWrite = op !== "get" && op !== "head";
    const conditions = { if_match: ifMatch, if_none_match: ifNoneMatch };
    const all = defined({ "If-Match": ifMatch, "If-None-Match": ifNoneMatch, ...headers });
    if (UNFIT.test(Object.values(all).join())) throw new TypeError("No header can hold this content type or ETag.");
    return send(
      {
        key: name,
        isWrite,
        isValue: !isWrite && suffix[0] !== "/",
        ...{ method, path: `/${name}${suffix}`, body },
        headers: all,
        item: batching && fields ? JSON.stringify({ op, ...keyField(key), ...fields, ...conditions }) : undefined,
      },
      signal,
    );
  }

  /** A batch is read from the primary. */
  function read(key: Key, op: string, [method, suffix]: [string, string], options?: ReadOptions) {
    const consistency = options?.consistency;
    return operate(key, op, [method, suffix + query({ consistency })], options, consistency !== "eventual" && {});
  }

  async function getWithInfo(key: Key, options?: Typed) {
    const result = await read(key, "get", ["GET", ""], options);
    return result.code ? null : { ...infoOf(result), value: typedValue(result, options?.type) };
  }

  async function put(key: Key, value: Value, options: PutOptions & Write = {}) {
    const isText = typeof value === "string";
    if (!isText && value?.byteLength === undefined) throw new TypeError("A value is text or bytes.");
    const body = isText ? value : bytesOf(value);
    const { contentType = isText ? "text/plain; charset=utf-8" : undefined, metadata, keepTtl } = options;
    const asked = { ...expiryOf(options), keep_ttl: keepTtl || undefined };
    const isSmall = body.length <= BATCHED_VALUE_LENGTH;
    const fields = isSmall && { ...field("value", body), content_type: contentType, metadata, ...asked };
    const headers = {
      "Content-Type": contentType,
      "KV-Metadata": asciiJson(metadata),
    };
    const { code, etag } = await operate(key, "put", ["PUT", query(asked)], options, fields, { headers, body });
    return code ? null : etag;
  }

  return {
    get: async (key: Key, options?: Typed) => (await getWithInfo(key, options))?.value ?? null,
    getWithInfo,
    async head(key, options) {
      const result = await read(key, "head", ["HEAD", ""], options);
      return result.code ? null : infoOf(result);
    },
    put,
    putJson: (key: Key, document: unknown, options: PutOptions & Write) =>
      put(key, JSON.stringify(document), { contentType: "application/json", ...options }),
    async delete(key, options) {
      return !(await operate(key, "delete", ["DELETE", ""], options)).code;
    },
    async ttl(key, options) {
      const result = await read(key, "head", ["GET", "/ttl"], options);
      return result.code ? null : ttlOf(result);
    },
    async expire(key, options) {
      const condition = options.if;
      const expiry = expiryOf(options);
      const fields = { ...expiry, if: condition };
      const result = await operate(key, "expire", ["PUT", `/ttl${query({ if: condition })}`], options, fields, {
        body: JSON.stringify(expiry),
      });
      return result.code ? null : ttlOf(result);
    },
    async persist(key, options) {
      return !(await operate(key, "persist", ["DELETE", "/ttl"], options)).code;
    },
    async increment(key, options = {}) {
      const { by, initial, min, max, ttlMode } = options;
      const fields = {
        ...{ by: integer(by), initial: integer(initial), min: integer(min), max: integer(max) },
        ...{ ...expiryOf(options), ttl_mode: ttlMode },
      };
      const result = await operate(key, "increment", ["POST", "/increment"], options, fields, {
        body: JSON.stringify(fields),
      });
      return { value: BigInt(result.value as string), etag: result.etag as string, ...ttlOf(result) };
    },
    ...createLists(send),
  } as Client;
}
