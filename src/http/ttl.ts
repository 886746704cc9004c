// /v1/kv/{ns}/{key}/ttl: reading, setting and removing an entry's expiry.

import { z } from "zod";
import { TTL_BODY_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { answer, jsonAnswer } from "./answer.ts";
import { type BodyOptions, documentBody, type ReceiveOptions, receive } from "./body.ts";
import { ifMatch, ifMatchOnly } from "./conditional.ts";
import { consistency } from "./entry.ts";
import { answeredExpiry, expiryDocument, expiryFields, expiryOf } from "./expiry.ts";
import { parseJson } from "./json.ts";
import { callsOf, type Operations, READ_PROBLEMS, WRITE_PROBLEMS } from "./operation.ts";
import { keyOf } from "./path.ts";
import { NOT_FOUND, PRECONDITION_FAILED, Problem, problemAnswer } from "./problem.ts";
import { noQuery, queryOf, validated } from "./validation.ts";

const PATH = "/v1/kv/{ns}/{key}/ttl";

const ttlBody = z
  .strictObject(expiryFields)
  .meta({ id: "NewExpiry", override: { minProperties: 1, maxProperties: 1 } });
const ttlAnswer = z.strictObject(answeredExpiry).meta({ id: "Expiry" });
const ttlAnswered = { description: "The expiry.", body: { json: ttlAnswer } };

export const operations = {
  getTtl: {
    method: "GET",
    path: PATH,
    summary: "Reads the time that is left",
    query: z.strictObject({ consistency }),
    answers: { 200: ttlAnswered },
    problems: [...READ_PROBLEMS, "not_found"],
  },
  setTtl: {
    method: "PUT",
    path: PATH,
    summary: "Sets or changes the expiry",
    description: "The key must be there. The `ETag` stays.",
    query: z.strictObject({
      if: z
        .enum(["nx", "xx", "gt", "lt"])
        .optional()
        .describe(
          "A condition on the expiry that is there, as Redis's EXPIRE has it: `nx` none, `xx` any, `gt` only to a later one, `lt` only to an earlier one. No expiry counts as infinitely late.",
        ),
    }),
    headers: z.object({ "If-Match": ifMatch("Changes the expiry") }),
    body: {
      json: ttlBody,
      description: `A JSON document with one of \`ttl\`, \`ttl_ms\` and \`expires_at\`, at most ${TTL_BODY_BYTES} bytes.`,
    },
    answers: { 200: { ...ttlAnswered, description: "The new expiry." } },
    problems: [
      ...WRITE_PROBLEMS,
      "invalid_precondition",
      "invalid_json",
      "invalid_ttl",
      "incomplete_body",
      "not_found",
      "request_timeout",
      "precondition_failed",
      "body_too_large",
    ],
  },
  removeTtl: {
    method: "DELETE",
    path: PATH,
    summary: "Removes the expiry",
    description: "The key then stays until it is deleted. The call takes no condition.",
    answers: { 204: { description: "The key has no expiry any more." } },
    problems: [...WRITE_PROBLEMS, "invalid_precondition", "not_found"],
  },
} satisfies Operations;

export function ttlCalls(store: Store, options: ReceiveOptions) {
  const body = documentBody(TTL_BODY_BYTES, options);
  return callsOf(operations, {
    getTtl: async (request) => {
      const key = keyOf(request);
      const { consistency } = queryOf(request, operations.getTtl.query);
      const entry = await store.head(key, request.signal, consistency);
      return entry ? jsonAnswer(request, expiryDocument(entry.expiry)) : problemAnswer(request, NOT_FOUND);
    },
    setTtl: (request) => setTtl(request, store, body),
    removeTtl: async (request) => {
      const key = keyOf(request);
      queryOf(request, noQuery);
      if (ifMatchOnly(request)) throw new Problem("invalid_precondition", "If-Match is not supported on this call.");
      const isDone = await store.persist(key, request.signal);
      return isDone ? answer(request, 204, {}) : problemAnswer(request, NOT_FOUND);
    },
  });
}

async function setTtl(request: Request, store: Store, body: BodyOptions): Promise<Response> {
  const key = keyOf(request);
  const query = queryOf(request, operations.setTtl.query);
  const versions = ifMatchOnly(request);
  const result = await receive(request, body, (bytes) => {
    const expiry = expiryOf(validated(ttlBody, parseJson(bytes), "invalid_ttl"));
    if (!expiry) throw new Problem("invalid_ttl", "The body is one of ttl, ttl_ms and expires_at, as JSON.");
    return store.expire(key, expiry, { if: query.if, ifMatch: versions }, request.signal);
  });
  if (result.outcome === "absent") return problemAnswer(request, NOT_FOUND);
  if (result.outcome === "condition_failed") return problemAnswer(request, PRECONDITION_FAILED);
  return jsonAnswer(request, expiryDocument(result));
}
