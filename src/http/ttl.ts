// /v1/kv/{ns}/{key}/ttl: reading, setting and removing an entry's expiry.

import type { Context, Hono } from "hono";
import { z } from "zod";
import type { AppEnv } from "../app.ts";
import { TTL_BODY_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { limitBody, whole } from "./body.ts";
import { ifMatchOnly } from "./conditional.ts";
import { expiryFields, expiryOf, queryOf, validated } from "./expiry.ts";
import { keyOf } from "./key.ts";
import { badRequest, notFound, preconditionFailed } from "./problem.ts";
import { resource } from "./resource.ts";

const body = z.strictObject(expiryFields);
const conditionQuery = z.strictObject({ if: z.enum(["nx", "xx", "gt", "lt"]).optional() });
const noQuery = z.strictObject({});

export function ttlRoutes(app: Hono<AppEnv>, store: Store, { bodyTimeoutMs }: { bodyTimeoutMs: number }) {
  const tooLarge = `The body is at most ${TTL_BODY_BYTES} bytes.`;
  const limit = limitBody(TTL_BODY_BYTES, "body_too_large", tooLarge, bodyTimeoutMs);
  resource(app, "/v1/kv/:ns/:key/ttl", {
    GET: async (c) => {
      const key = keyOf(c.req.raw);
      queryOf(c, noQuery);
      const entry = await store.head(key);
      if (!entry) throw notFound();
      return expiryAnswer(c, entry.expiry);
    },
    PUT: [limit, (c) => setTtl(c, store, bodyTimeoutMs)],
    DELETE: async (c) => {
      const key = keyOf(c.req.raw);
      queryOf(c, noQuery);
      if (ifMatchOnly(c)) throw badRequest("invalid_precondition", "If-Match is not supported on this call.");
      if (!(await store.persist(key))) throw notFound();
      return c.body(null, 204);
    },
  });
}

async function setTtl(c: Context<AppEnv>, store: Store, bodyTimeoutMs: number) {
  const key = keyOf(c.req.raw);
  const query = queryOf(c, conditionQuery);
  const ifMatch = ifMatchOnly(c);
  const expiry = expiryOf(validated(body, await json(c, bodyTimeoutMs), "invalid_ttl"));
  if (!expiry) throw badRequest("invalid_ttl", "The body is one of ttl, ttl_ms and expires_at, as JSON.");
  const result = await store.expire(key, expiry, { if: query.if, ifMatch });
  if (result.outcome === "absent") throw notFound();
  if (result.outcome === "condition_failed") throw preconditionFailed();
  return expiryAnswer(c, result);
}

async function json(c: Context, timeoutMs: number): Promise<unknown> {
  const text = await whole(c.req.text(), timeoutMs);
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest("invalid_json", "The body is not JSON.");
  }
}

function expiryAnswer(c: Context, expiry: { atMs: number; ttlMs: number } | null) {
  const answer = {
    ttl_ms: expiry?.ttlMs ?? null,
    expires_at: expiry && new Date(expiry.atMs).toISOString(),
  };
  return c.json(answer, 200, { "Cache-Control": "no-store" });
}
