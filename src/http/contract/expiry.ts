// What the contract says of expiries.

import { expect } from "bun:test";
import { type Cases, GET, GONE, json, PUT, type Step } from "./step.ts";

const EXPIRED: Step = { send: "PUT ?expires_at=1", body: "old", gives: 204 };
type Expiry = { ttl_ms: number; expires_at: string };
/** A time left that is a little less than `seconds`, and never more, with its instant where that is known. */
const about = (seconds: number, instant?: string | RegExp) => (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeLessThanOrEqual(seconds * 1000);
  expect(ttl_ms).toBeGreaterThan((seconds - 20) * 1000);
  expect(expires_at).toMatch(instant ?? /Z$/);
};
/** An instant far away. */
const at = (instant: string) => (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeGreaterThan(1e12);
  expect(expires_at).toBe(instant);
};
/** The instant 4,000,000,000 seconds into the epoch, as some tests set it. */
const in2096 = at("2096-10-02T07:06:40.000Z");
const never = { ttl_ms: null, expires_at: null };
const epochSeconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;
/** In spellings of RFC 3339 that name one instant, with what is answered of it. */
const AN_INSTANT = [
  "2096-10-02T07:06:40.123Z",
  "2096-10-02T07:06:40.123000Z",
  "2096-10-02T09:06:40.123+02:00",
  "2096-10-01T19:21:40.123-11:45",
  "2096-10-02T07:06:40.123-00:00",
];
/** Texts that name no instant, or none that could be kept exactly. */
const NO_INSTANTS = [
  ["no offset", "2096-10-02T07:06:40.123"],
  ["a day that is not there", "2095-02-29T00:00:00Z"],
  ["a day that is never there", "2096-02-30T00:00:00Z"],
  ["a month that is not there", "2096-13-01T00:00:00Z"],
  ["24:00", "2096-10-02T24:00:00Z"],
  ["a leap second", "2096-12-31T23:59:60Z"],
  ["no seconds", "2096-10-02T07:06Z"],
  ["no colon in its offset", "2096-10-02T07:06:40+0200"],
  ["an offset of a day", "2096-10-02T07:06:40+24:00"],
  ["less than a millisecond", "2096-10-02T07:06:40.1234Z"],
  ["a point and no digits", "2096-10-02T07:06:40.Z"],
  ["a space", "2096-10-02 07:06:40Z"],
  ["small letters", "2096-10-02t07:06:40z"],
  ["a date alone", "2096-10-02"],
  ["five digits of a year", "+02096-10-02T07:06:40Z"],
  ["more than it", "2096-10-02T07:06:40Z "],
  ["the beginning of time", "1970-01-01T00:00:00Z"],
  ["an instant before it", "1969-12-31T23:59:59.999Z"],
  ["more than 100 years away", "9999-12-31T23:59:59Z"],
  ["milliseconds of the epoch", "4000000000123"],
  ["a fraction", "4000000000.123"],
  ["a sign", "+4000000000"],
  ["zero", "0"],
  ["nothing", ""],
] as const;

/** Made when it is needed: some cases name instants. */
export const expiries = (): Cases => ({
  "each spelling of an expiry": [
    { send: "PUT ?ttl=60", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "PUT ?ttl_ms=90000", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(90) },
    { send: `PUT ?expires_at=${epochSeconds(120)}`, body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(120, /^20.*\.000Z$/) },
    { ...GET, has: { "KV-Expires-At": /^20.*\.000Z$/ } },
  ],
  "an instant, of any offset and exact to its millisecond": AN_INSTANT.flatMap((text) => [
    { send: `PUT ?expires_at=${encodeURIComponent(text)}`, body: "v", gives: 204 },
    { ...GET, has: { "KV-Expires-At": "2096-10-02T07:06:40.123Z" } },
    { send: "DELETE /ttl", gives: 204 },
    { send: "PUT /ttl", body: json({ expires_at: text }), gives: 200, json: at("2096-10-02T07:06:40.123Z") },
    { send: "GET /ttl", gives: 200, json: at("2096-10-02T07:06:40.123Z") },
    { send: "HEAD", gives: 200, has: { "KV-Expires-At": "2096-10-02T07:06:40.123Z" } },
  ]),
  "an instant that was read can be written back": [
    { send: "PUT ?ttl_ms=123456", body: "v", gives: 204 },
    { ...GET, save: "at", from: "KV-Expires-At" },
    { send: "DELETE /ttl", gives: 204 },
    { send: "PUT ?expires_at=$at", body: "v", gives: 204 },
    { ...GET, has: { "KV-Expires-At": "$at" } },
    { send: "DELETE /ttl", gives: 204 },
    { send: "PUT /ttl", body: json({ expires_at: "$at" }), gives: 200, json: about(124, /\.\d{3}Z$/) },
    { ...GET, has: { "KV-Expires-At": "$at" } },
  ],
  "an instant as whole seconds of the epoch, in JSON as a number or a text": [
    { send: "PUT ?expires_at=4000000000", body: "v", gives: 204 },
    { ...GET, has: { "KV-Expires-At": "2096-10-02T07:06:40.000Z" } },
    { send: "PUT /ttl", body: json({ expires_at: 4000000001 }), gives: 200, json: at("2096-10-02T07:06:41.000Z") },
    { send: "PUT /ttl", body: json({ expires_at: "4000000002" }), gives: 200, json: at("2096-10-02T07:06:42.000Z") },
  ],
  "29 February is a day of a leap year": [
    { send: "PUT ?expires_at=2096-02-29T12:00:00Z", body: "v", gives: 204 },
    { ...GET, has: { "KV-Expires-At": "2096-02-29T12:00:00.000Z" } },
  ],
  "a past instant: the key is gone": [
    { send: "PUT ?expires_at=1970-01-01T00:00:00.001Z", body: "v", gives: 204 },
    GONE,
    PUT,
    {
      send: "PUT /ttl",
      body: json({ expires_at: "2001-09-09T03:46:40+02:00" }),
      gives: 200,
      json: { ttl_ms: 0, expires_at: "2001-09-09T01:46:40.000Z" },
    },
    GONE,
  ],
  ...Object.fromEntries(
    NO_INSTANTS.map(([what, text]): [string, Step[]] => [
      `no instant, and nothing changed: ${what}`,
      [
        { send: `PUT ?expires_at=${encodeURIComponent(text)}`, body: "v", gives: 400, code: "invalid_ttl" },
        GONE,
        PUT,
        { send: "PUT /ttl", body: json({ expires_at: text }), gives: 400, code: "invalid_ttl" },
        { send: "GET /ttl", gives: 200, json: never },
      ],
    ]),
  ),
  "an offset's + that is not escaped is a space, and refused": [
    { send: "PUT ?expires_at=2096-10-02T09:06:40+02:00", body: "v", gives: 400, code: "invalid_ttl" },
    GONE,
  ],
  "PUT clears an earlier expiry, unless it is kept": [
    { send: "PUT ?ttl=60", body: "v", gives: 204 },
    { send: "PUT ?keep_ttl=true", body: "kept", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { ...GET, text: "kept", save: "v1" },
    { send: "PUT ?keep_ttl=true", headers: { "If-Match": "$v1" }, body: "swapped", gives: 204, save: "v2" },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "PUT ?keep_ttl=true", headers: { "If-None-Match": "$v1" }, body: "again", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "PUT ?keep_ttl=false", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: never },
  ],
  "keep_ttl on a key without expiry, or without value": [
    { send: "PUT ?keep_ttl=true", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT ?keep_ttl=true", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: never },
  ],
  "keep_ttl does not keep an expiry that has passed": [
    EXPIRED,
    { send: "PUT ?keep_ttl=true", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: never },
  ],
  "an expiry that is not one is refused and changes nothing": [
    { send: "PUT ?ttl=0", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=-1", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=1.5", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=soon", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl_ms=0", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?expires_at=0", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=3155760001", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl_ms=3155760000001", body: "v", gives: 400, code: "invalid_ttl" },
    { send: `PUT ?expires_at=${epochSeconds(3155763600)}`, body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&ttl_ms=60000", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&expires_at=99999999999", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&keep_ttl=true", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&ttl=61", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?__proto__=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?tll=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?keep_ttl=yes", body: "v", gives: 400, code: "invalid_parameter" },
    GONE,
    { send: "PUT ?ttl=3155760000", body: "v", gives: 204 },
  ],
  "a past expires_at: the key is gone, to every call": [
    PUT,
    { ...EXPIRED, save: "v1" },
    GONE,
    { send: "HEAD", gives: 404 },
    { send: "GET /ttl", gives: 404 },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 404, code: "not_found" },
    { send: "DELETE /ttl", gives: 404 },
    { ...PUT, headers: { "If-Match": "$v1" }, gives: 412 },
    { ...PUT, headers: { "If-Match": "*" }, gives: 412 },
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 412 },
    GONE,
    { ...PUT, headers: { "If-None-Match": "*" }, body: "new" },
    { ...GET, text: "new" },
    EXPIRED,
    { ...PUT, headers: { "If-None-Match": '"x"' }, body: "newer" },
    { ...GET, text: "newer" },
  ],

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
});
