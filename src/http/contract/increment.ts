// What the contract says of counters.

import { expect } from "bun:test";
import { type Cases, GET, GONE, json, PUT, type Step } from "./step.ts";

const increment = (body: object | string | undefined, value: string, more: object = {}): Step => ({
  send: "POST /increment",
  ...(body !== undefined && { body: typeof body === "string" ? body : json(body) }),
  gives: 200,
  json: { value, etag: expect.stringMatching(/^"[0-9a-f]{20}"$/), ttl_ms: null, expires_at: null, ...more },
});
const refused = (body: unknown, code: string, gives = 400): Step => ({
  ...{ send: "POST /increment", body: typeof body === "string" ? body : json(body) },
  ...{ gives, code },
});
const put = (body: string): Step => ({ ...PUT, body });
const expiring = { ttl_ms: expect.any(Number), expires_at: expect.any(String) };

export const COUNTERS: Cases = {
  "a counter is made by its first increment, and is text": [
    GONE,
    increment(undefined, "1"),
    increment({}, "2"),
    increment({ by: 40 }, "42"),
    { ...GET, text: "42", has: { "Content-Type": "text/plain" } },
    increment({ by: -50 }, "-8"),
    increment({ by: 0 }, "-8"),
  ],
  "a counter begins where it is told": [increment({ initial: 100, by: 5 }, "105"), increment({ initial: 7 }, "106")],
  "PUT sets a counter, DELETE removes it": [
    put("10"),
    increment({}, "11"),
    { send: "DELETE", gives: 204 },
    increment({}, "1"),
  ],
  "an increment has a tag of its own, and keeps what describes the value": [
    {
      ...{ send: "PUT", headers: { "Content-Type": "application/json", "KV-Metadata": "[1]" }, body: "5", gives: 204 },
      save: "v1",
    },
    increment({}, "6"),
    { ...GET, text: "6", has: { "Content-Type": "application/json", "KV-Metadata": "[1]" } },
    { ...PUT, headers: { "If-Match": "$v1" }, gives: 412 },
  ],
  "all of 64 bits": [
    increment({ by: "9223372036854775806" }, "9223372036854775806"),
    increment({}, "9223372036854775807"),
    refused({}, "overflow", 409),
    { ...GET, text: "9223372036854775807" },
    put("-9223372036854775807"),
    increment({ by: "-1" }, "-9223372036854775808"),
    refused({ by: -1 }, "overflow", 409),
    refused({ by: "9223372036854775808" }, "invalid_increment"),
    refused('{"by":9007199254740993}', "invalid_increment"),
  ],
  "bounds: what would leave them changes nothing": [
    increment({ max: 2 }, "1"),
    increment({ max: 2 }, "2"),
    refused({ max: 2 }, "out_of_bounds", 409),
    refused({ by: -3, min: 0 }, "out_of_bounds", 409),
    increment({ by: -2, min: 0 }, "0"),
    refused({ initial: 5, min: 10, max: 9 }, "invalid_increment"),
  ],
  "what is no number": [
    put("ten"),
    refused({}, "not_a_number", 409),
    { ...GET, text: "ten" },
    put(""),
    refused({}, "not_a_number", 409),
    put("1".repeat(30)),
    refused({}, "not_a_number", 409),
    { ...GET, text: "1".repeat(30) },
  ],
  "a counter's TTL counts from its first increment, unless it is renewed": [
    increment({ ttl: 60 }, "1", { ttl_ms: 60_000, expires_at: expect.any(String) }),
    increment({ ttl: 3_600 }, "2", expiring),
    {
      send: "GET /ttl",
      gives: 200,
      json: (ttl: unknown) => expect((ttl as { ttl_ms: number }).ttl_ms).toBeLessThan(60_001),
    },
    increment({ ttl: 3_600, ttl_mode: "always" }, "3", { ttl_ms: 3_600_000, expires_at: expect.any(String) }),
    increment({}, "4", expiring),
    { send: "DELETE /ttl", gives: 204 },
    increment({ ttl: 60 }, "5"),
  ],
  "a body that is not one": [
    refused("{", "invalid_json"),
    refused('{"by":1,"by":2}', "invalid_json"),
    refused([], "invalid_increment"),
    refused({ by: 1.5 }, "invalid_increment"),
    refused({ by: "1e3" }, "invalid_increment"),
    refused({ by: null }, "invalid_increment"),
    refused({ step: 1 }, "invalid_increment"),
    refused({ ttl: 0 }, "invalid_ttl"),
    refused({ ttl: 1, ttl_ms: 1 }, "invalid_ttl"),
    refused({ ttl_mode: "always" }, "invalid_ttl"),
    refused(" ".repeat(2_000), "body_too_large", 413),
    { send: "POST /increment?by=1", gives: 400, code: "invalid_parameter" },
    { send: "GET /increment", gives: 405, has: { Allow: "POST" } },
    GONE,
  ],
};
