// /v1/kv/{ns}/{key}/ttl: reading, setting and removing an entry's expiry.

import { z } from "zod";
import { TTL_BODY_BYTES } from "../limits.ts";
import type { EntryInfo, Store } from "../store/store.ts";
import { answer, jsonAnswer } from "./answer.ts";
import { type BodyOptions, receive } from "./body.ts";
import { ifMatchOnly } from "./conditional.ts";
import { expiryFields, expiryOf, instantOf, noQuery, queryOf, validated } from "./expiry.ts";
import { parseJson } from "./json.ts";
import { keyOf } from "./path.ts";
import { badRequest, NOT_FOUND, PRECONDITION_FAILED, Problem, problemAnswer } from "./problem.ts";
import { type Route, resource } from "./resource.ts";

const ttlBody = z.strictObject(expiryFields);
const conditionQuery = z.strictObject({ if: z.enum(["nx", "xx", "gt", "lt"]).optional() });

export function ttlRoutes(
  route: Route,
  store: Store,
  { bodyTimeoutMs, reserve }: { bodyTimeoutMs: number; reserve?: BodyOptions["reserve"] },
) {
  const body: BodyOptions = {
    maxBytes: TTL_BODY_BYTES,
    tooLarge: new Problem(413, "body_too_large", `The body is at most ${TTL_BODY_BYTES} bytes.`),
    timeoutMs: bodyTimeoutMs,
    reserve,
  };
  resource(route, "/v1/kv/:ns/:key/ttl", {
    GET: async (request) => {
      const key = keyOf(request);
      queryOf(request, noQuery);
      const entry = await store.head(key, request.signal);
      return entry ? expiryAnswer(request, entry.expiry) : problemAnswer(request, NOT_FOUND);
    },
    PUT: (request) => setTtl(request, store, body),
    DELETE: async (request) => {
      const key = keyOf(request);
      queryOf(request, noQuery);
      if (ifMatchOnly(request)) throw badRequest("invalid_precondition", "If-Match is not supported on this call.");
      const isDone = await store.persist(key, request.signal);
      return isDone ? answer(request, 204, {}) : problemAnswer(request, NOT_FOUND);
    },
  });
}

async function setTtl(request: Request, store: Store, body: BodyOptions): Promise<Response> {
  const key = keyOf(request);
  const query = queryOf(request, conditionQuery);
  const ifMatch = ifMatchOnly(request);
  const result = await receive(request, body, (bytes) => {
    const expiry = expiryOf(validated(ttlBody, parseJson(bytes), "invalid_ttl"));
    if (!expiry) throw badRequest("invalid_ttl", "The body is one of ttl, ttl_ms and expires_at, as JSON.");
    return store.expire(key, expiry, { if: query.if, ifMatch }, request.signal);
  });
  if (result.outcome === "absent") return problemAnswer(request, NOT_FOUND);
  if (result.outcome === "condition_failed") return problemAnswer(request, PRECONDITION_FAILED);
  return expiryAnswer(request, result);
}

function expiryAnswer(request: Request, expiry: EntryInfo["expiry"]): Response {
  return jsonAnswer(request, {
    ttl_ms: expiry?.ttlMs ?? null,
    expires_at: expiry && instantOf(expiry.atMs),
  });
}
