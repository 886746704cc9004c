// /v1/kv/{ns}/{key}/increment: adding to a counter.

import { z } from "zod";
import { INCREMENT_BODY_BYTES } from "../limits.ts";
import { incrementing } from "../store/counter.ts";
import type { Increment, IncrementResult, Store } from "../store/store.ts";
import { jsonAnswer } from "./answer.ts";
import { documentBody, type ReceiveOptions, receive } from "./body.ts";
import type { ProblemCode } from "./codes.ts";
import { etag, etagOf } from "./conditional.ts";
import { answeredExpiry, expiryDocument, expiryFields, expiryOf } from "./expiry.ts";
import { parseJson } from "./json.ts";
import { callsOf, type Operations, WRITE_PROBLEMS } from "./operation.ts";
import { keyOf } from "./path.ts";
import { Problem, problemAnswer } from "./problem.ts";
import { requireRight } from "./rights.ts";
import { noQuery, queryOf, validated } from "./validation.ts";

/** JSON numbers are exact up to 2^53; larger ones go as text. */
const integer = z
  .union([z.int(), z.string().regex(/^-?\d{1,19}$/)], "must be an integer, as text beyond 2^53")
  .transform(BigInt)
  .refine((number) => BigInt.asIntN(64, number) === number, "must fit 64 bits with their sign");

export const incrementFields = {
  by: integer.optional().describe("What to add; 1 by default."),
  initial: integer.optional().describe("What a counter that is not there counts from; 0 by default."),
  min: integer.optional().describe("A sum below it changes nothing."),
  max: integer.optional().describe("A sum above it changes nothing."),
  ...expiryFields,
  ttl_mode: z
    .enum(["create", "always"])
    .optional()
    .describe("Whether the expiry is for a counter that is made only, the default, or renewed each time."),
};
const incrementBody = z.strictObject(incrementFields);

const REFUSALS = {
  not_a_number: new Problem("not_a_number"),
  overflow: new Problem("overflow"),
  out_of_bounds: new Problem("out_of_bounds"),
};

export const operations = {
  increment: {
    method: "POST",
    path: "/v1/kv/{ns}/{key}/increment",
    summary: "Adds to a counter",
    description:
      "A counter is a 64-bit integer with its sign, kept as decimal text: `GET` reads it, `PUT` sets it. One that is not there is made. Without a body, 1 is added.",
    body: {
      json: incrementBody.meta({ id: "Increment" }),
      description: `What to add, as JSON of at most ${INCREMENT_BODY_BYTES} bytes.`,
      optional: true,
    },
    answers: {
      200: {
        description: "What the counter is now.",
        body: {
          json: z
            .strictObject({ value: z.string().regex(/^-?\d{1,19}$/), etag, ...answeredExpiry })
            .meta({ id: "Counter" }),
        },
      },
    },
    problems: [
      ...[...WRITE_PROBLEMS, "invalid_json", "invalid_increment", "invalid_ttl", "incomplete_body", "request_timeout"],
      ...["not_a_number", "overflow", "out_of_bounds", "body_too_large"],
    ] as ProblemCode[],
  },
} satisfies Operations;

export function incrementCalls(store: Store, options: ReceiveOptions) {
  const body = documentBody(INCREMENT_BODY_BYTES, options);
  return callsOf(operations, {
    increment: async (request, rights) => {
      requireRight(rights, "write");
      const key = keyOf(request);
      queryOf(request, noQuery);
      const result = await receive(request, body, (bytes) => {
        const given = bytes.length === 0 ? {} : parseJson(bytes);
        const increment = incrementOf(validated(incrementBody, given, "invalid_increment"));
        return store.update(key, incrementing(increment), request.signal);
      });
      const outcome = incrementOutcome(result);
      return outcome instanceof Problem ? problemAnswer(request, outcome) : jsonAnswer(request, outcome);
    },
  });
}

/** Throws a 400 where the fields contradict each other. */
export function incrementOf(fields: z.infer<typeof incrementBody>): Increment {
  const { by = 1n, initial = 0n, min, max, ttl_mode } = fields;
  if (min !== undefined && max !== undefined && min > max) throw new Problem("invalid_increment", "min is above max.");
  const expiry = expiryOf(fields);
  if (ttl_mode && !expiry) throw new Problem("invalid_ttl", "ttl_mode is for one of ttl, ttl_ms and expires_at.");
  return { by, initial, min, max, expiry, renews: ttl_mode === "always" };
}

/** What an increment is answered, or why nothing was changed. */
export function incrementOutcome(result: IncrementResult) {
  if (result.outcome !== "set") return REFUSALS[result.outcome];
  const { value, version, expiry } = result;
  return { value: String(value), etag: etagOf(version), ...expiryDocument(expiry) };
}
