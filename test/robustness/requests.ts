// Calls as requests, alone or several in one, and what answers tell of them.

import type { Answer, Request } from "./connection.ts";
import type { Asked, Outcome } from "./history.ts";

export const NAMESPACE = "robustness";
/** Behind each value, so that it is worth packing. */
const FILLING = ` ${"filling that all values have, as documents of one kind have most of their text, ".repeat(3)}`;

/** What an answer tells of a call. */
interface Told {
  code?: string;
  etag?: string;
  value?: string;
  /** As RFC 3339 writes it. */
  expires_at?: string | null;
}

export function requestOf({ op, key, value, by, ifMatch, if: condition, ttlMs, keepTtl }: Asked): Request {
  const path = `/v1/kv/${NAMESPACE}/${key}`;
  const query = keepTtl ? "?keep_ttl=true" : ttlMs ? `?ttl_ms=${ttlMs}` : "";
  const put = { method: "PUT", path: path + query, body: filled(value) };
  switch (op) {
    case "get":
      return { method: "GET", path };
    case "peek":
      return { method: "GET", path: `${path}?consistency=eventual` };
    case "head":
      return { method: "HEAD", path };
    case "ttl":
      return { method: "GET", path: `${path}/ttl` };
    case "put":
      return put;
    case "create":
      return { ...put, headers: { "If-None-Match": "*" } };
    case "cas":
      return { ...put, headers: { "If-Match": ifMatch as string } };
    case "delete":
      return { method: "DELETE", path };
    case "release":
      return { method: "DELETE", path, headers: { "If-Match": ifMatch as string } };
    case "expire": {
      const when = condition ? `?if=${condition}` : "";
      return { method: "PUT", path: `${path}/ttl${when}`, body: JSON.stringify({ ttl_ms: ttlMs }) };
    }
    case "persist":
      return { method: "DELETE", path: `${path}/ttl` };
    case "increment":
      return { method: "POST", path: `${path}/increment`, body: JSON.stringify({ by, ttl_ms: ttlMs }) };
  }
}

export function resultOf(asked: Asked, answer: Answer): Outcome {
  return outcomeOf(asked, answer.status, told(asked, answer));
}

function told({ op }: Asked, { status, headers, body }: Answer): Told {
  const isDocument = status >= 300 || op === "ttl" || op === "expire" || op === "increment";
  // The answer to a HEAD has no body to tell its code.
  if (op !== "head" && isDocument) return JSON.parse(body);
  return {
    code: status === 503 ? "unavailable" : `status_${status}`,
    etag: headers.get("etag"),
    expires_at: headers.get("kv-expires-at"),
    ...((op === "get" || op === "peek") && { value: unfilled(body) }),
  };
}

/** 404 and 412 are answers; any other refusal says that nothing has changed, but for `outcome_unknown`. */
function outcomeOf({ op }: Asked, status: number, { code, etag, value, expires_at }: Told): Outcome {
  if (status === 404 || status === 412) {
    const refused = op === "expire" && status === 412;
    return { outcome: "ok", held: false, got: refused ? { refused } : {} };
  }
  if (status >= 300) {
    return { outcome: code === "outcome_unknown" ? "unknown" : "not_applied", held: false, got: {}, code };
  }
  const expiresAt = expires_at ? Date.parse(expires_at) : undefined;
  return { outcome: "ok", held: true, got: { etag, value, ...(expiresAt && { expiresAt }) } };
}

/** Those that a batch has; it shows what a `ttl` tells in its `head`, and makes no eventual reads. */
export function isForBatches({ op }: Asked): boolean {
  return op !== "ttl" && op !== "peek";
}

export function requestOfAll(all: Asked[]): Request {
  return { method: "POST", path: `/v1/kv/${NAMESPACE}`, body: JSON.stringify({ operations: all.map(operationOf) }) };
}

function operationOf({ op, key, value, by, ifMatch, if: condition, ttlMs, keepTtl }: Asked) {
  const names = { create: "put", cas: "put", release: "delete" } as const;
  const name = op in names ? names[op as keyof typeof names] : op;
  const expiry = { ttl_ms: ttlMs, ...(op === "put" && { keep_ttl: keepTtl }) };
  const conditions = { if_match: ifMatch, ...(op === "create" && { if_none_match: "*" }) };
  return { op: name, key, value: filled(value), by, if: condition, ...expiry, ...conditions };
}

/** A whole batch is refused before anything of it is done. */
export function resultsOf(all: Asked[], { status, body }: Answer): Outcome[] {
  const { results, ...problem } = JSON.parse(body) as Told & { results?: (Told & { status: number })[] };
  return all.map((asked, i) => {
    const result = results?.[i] ?? { status, ...problem };
    return outcomeOf(asked, result.status, { ...result, value: unfilled(result.value) });
  });
}

function filled(value: string | undefined): string | undefined {
  return value && value + FILLING;
}

/** A value as it was meant. One that lacks some of its filling is left as it is, and then nobody has written it. */
function unfilled(value: string | undefined): string | undefined {
  return value?.endsWith(FILLING) ? value.slice(0, -FILLING.length) : value;
}
