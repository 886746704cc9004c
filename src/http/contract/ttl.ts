// What the contract says of an entry's TTL as a resource.

import { expect } from "bun:test";
import { type Cases, GET, GONE, json, PUT, type Step } from "./step.ts";
import { about, in2096, never } from "./times.ts";

export const TTLS: Cases = {
  "TTL of a key, set, changed and removed": [
    PUT,
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200, json: { ttl_ms: 60000, expires_at: expect.any(String) } },
    { send: "GET /ttl", gives: 200, json: about(60) },
    {
      send: "PUT /ttl",
      body: json({ ttl_ms: 90000 }),
      gives: 200,
      json: { ttl_ms: 90000, expires_at: expect.any(String) },
    },
    {
      send: "PUT /ttl",
      body: json({ expires_at: 4000000000 }),
      gives: 200,
      json: in2096,
    },
    { send: "PUT /ttl", body: json({ expires_at: 4000000000 }), gives: 200 },
    { send: "DELETE /ttl", gives: 204 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "DELETE /ttl", gives: 204 },
    { ...GET, text: "value" },
  ],
  "a TTL change keeps the tag": [
    { ...PUT, save: "v1" },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200 },
    { ...GET, has: { ETag: "$v1" } },
  ],
  "a TTL set to the past ends the key": [
    PUT,
    {
      send: "PUT /ttl",
      body: json({ expires_at: 1 }),
      gives: 200,
      json: { ttl_ms: 0, expires_at: "1970-01-01T00:00:01.000Z" },
    },
    GONE,
  ],
  "if=nx: only where there is no expiry": [
    { send: "PUT /ttl?if=nx", body: json({ ttl: 60 }), gives: 404 },
    PUT,
    { send: "PUT /ttl?if=nx", body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=nx", body: json({ ttl: 600 }), gives: 412, code: "precondition_failed" },
    { send: "PUT /ttl?if=nx", body: json({ expires_at: 4000000000 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
  ],
  "if=xx: only where there is one": [
    PUT,
    { send: "PUT /ttl?if=xx", body: json({ ttl: 60 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=xx", body: json({ ttl: 600 }), gives: 200 },
    { send: "PUT /ttl?if=xx", body: json({ expires_at: 4000000000 }), gives: 200 },
    { send: "GET /ttl", gives: 200, json: in2096 },
  ],
  "if=gt: only later, and no expiry is infinitely late": [
    PUT,
    { send: "PUT /ttl?if=gt", body: json({ ttl: 60 }), gives: 412 },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=gt", body: json({ ttl: 30 }), gives: 412 },
    { send: "PUT /ttl?if=gt", body: json({ expires_at: 1 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    {
      send: "PUT /ttl?if=gt",
      body: json({ ttl: 120 }),
      gives: 200,
      json: { ttl_ms: 120000, expires_at: expect.any(String) },
    },
    { send: "PUT /ttl?if=gt", body: json({ expires_at: 4000000000 }), gives: 200 },
    { send: "PUT /ttl?if=gt", body: json({ expires_at: 4000000000 }), gives: 412 },
  ],
  "if=lt: only earlier, and no expiry is infinitely late": [
    PUT,
    {
      send: "PUT /ttl?if=lt",
      body: json({ expires_at: 4000000000 }),
      gives: 200,
      json: in2096,
    },
    { send: "PUT /ttl?if=lt", body: json({ expires_at: 4000000000 }), gives: 412 },
    {
      send: "PUT /ttl?if=lt",
      body: json({ ttl: 60 }),
      gives: 200,
      json: { ttl_ms: 60000, expires_at: expect.any(String) },
    },
    { send: "PUT /ttl?if=lt", body: json({ ttl: 90 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "PUT /ttl?if=lt", body: json({ expires_at: 1 }), gives: 200 },
    GONE,
  ],
  "a TTL call honours If-Match": [
    { ...PUT, save: "v1" },
    { send: "PUT /ttl", headers: { "If-Match": '"x"' }, body: json({ ttl: 60 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT /ttl?if=nx", headers: { "If-Match": "$v1" }, body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=gt", headers: { "If-Match": '"x"' }, body: json({ ttl: 600 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "DELETE /ttl", headers: { "If-Match": "$v1" }, gives: 400, code: "invalid_precondition" },
  ],
  "a TTL call with a body that is not one": [
    PUT,
    { send: "PUT /ttl", body: "60", gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: "", gives: 400, code: "invalid_json" },
    { send: "PUT /ttl", body: "{ttl:60}", gives: 400, code: "invalid_json" },
    { send: "PUT /ttl", body: "{}", gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: "60" }), gives: 400, code: "invalid_ttl" },
    ...[null, true, 1.5, 0, -1, 1e300, [4000000000], { seconds: 4000000000 }].map(
      (expires_at): Step => ({
        ...{ send: "PUT /ttl", body: json({ expires_at }), gives: 400, code: "invalid_ttl" },
      }),
    ),
    { send: "PUT /ttl", body: json({ ttl: 0 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60, ttl_ms: 1 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60, more: 1 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 1e300 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60 }).padEnd(2000), gives: 413, code: "body_too_large" },
    { send: "PUT /ttl?if=new", body: json({ ttl: 60 }), gives: 400, code: "invalid_parameter" },
    { send: "GET /ttl", gives: 200, json: never },
  ],
};
