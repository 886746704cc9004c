// /v1/kv/{ns}/{key}/increment: adding to a counter.

import { z } from "zod";
import { INCREMENT_BODY_BYTES } from "../limits.ts";
import type { Increment, IncrementResult, Store } from "../store/store.ts";
import { jsonAnswer } from "./answer.ts";
import { requireRight } from "./auth.ts";
import { type BodyOptions, receive } from "./body.ts";
import { etagOf } from "./conditional.ts";
import { expiryDocument, expiryFields, expiryOf, noQuery, queryOf, validated } from "./expiry.ts";
import { parseJson } from "./json.ts";
import { keyOf } from "./path.ts";
import { badRequest, Problem, problemAnswer } from "./problem.ts";
import { type Route, resource } from "./resource.ts";

/** JSON numbers are exact up to 2^53; larger ones go as text. */
const integer = z
  .union([z.int(), z.string().regex(/^-?\d{1,19}$/)], "must be an integer, as text beyond 2^53")
  .transform(BigInt)
  .refine((number) => BigInt.asIntN(64, number) === number, "must fit 64 bits with their sign");

export const incrementFields = {
  by: integer.optional(),
  initial: integer.optional(),
  min: integer.optional(),
  max: integer.optional(),
  ...expiryFields,
  ttl_mode: z.enum(["create", "always"]).optional(),
};
const incrementBody = z.strictObject(incrementFields);

const REFUSALS = {
  not_a_number: new Problem(409, "not_a_number", "The value is no 64-bit integer in decimal; nothing was changed."),
  overflow: new Problem(409, "overflow", "The sum does not fit 64 bits; nothing was changed."),
  out_of_bounds: new Problem(409, "out_of_bounds", "The sum is less than min or more than max; nothing was changed."),
};

export function incrementRoutes(
  route: Route,
  store: Store,
  { bodyTimeoutMs, reserve }: { bodyTimeoutMs: number; reserve?: BodyOptions["reserve"] },
) {
  const body: BodyOptions = {
    maxBytes: INCREMENT_BODY_BYTES,
    tooLarge: new Problem(413, "body_too_large", `The body is at most ${INCREMENT_BODY_BYTES} bytes.`),
    timeoutMs: bodyTimeoutMs,
    reserve,
  };
  resource(route, "/v1/kv/:ns/:key/increment", {
    POST: async (request, rights) => {
      requireRight(rights, "write");
      const key = keyOf(request);
      queryOf(request, noQuery);
      const result = await receive(request, body, (bytes) => {
        const given = bytes.length === 0 ? {} : parseJson(bytes);
        return store.increment(key, incrementOf(validated(incrementBody, given, "invalid_increment")), request.signal);
      });
      const outcome = incrementOutcome(result);
      return outcome instanceof Problem ? problemAnswer(request, outcome) : jsonAnswer(request, outcome);
    },
  });
}

/** Throws a 400 where the fields contradict each other. */
export function incrementOf(fields: z.infer<typeof incrementBody>): Increment {
  const { by = 1n, initial = 0n, min, max, ttl_mode } = fields;
  if (min !== undefined && max !== undefined && min > max) throw badRequest("invalid_increment", "min is above max.");
  const expiry = expiryOf(fields);
  if (ttl_mode && !expiry) throw badRequest("invalid_ttl", "ttl_mode is for one of ttl, ttl_ms and expires_at.");
  return { by, initial, min, max, expiry, renews: ttl_mode === "always" };
}

/** What an increment is answered, or why nothing was changed. */
export function incrementOutcome(result: IncrementResult) {
  if (result.outcome !== "set") return REFUSALS[result.outcome];
  const { value, version, expiry } = result;
  return { value: String(value), etag: etagOf(version), ...expiryDocument(expiry) };
}
