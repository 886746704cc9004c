// What the contract says of values, their headers, and conditions.

import { expect } from "bun:test";
import { type Cases, GET, GONE, json, PUT } from "./step.ts";

export const ENTRIES: Cases = {
  "a value comes back as it was put": [
    { ...PUT, has: { ETag: /^"[0-9a-f]{20}"$/, "X-Request-Id": /./ }, save: "v1" },
    {
      ...GET,
      text: "value",
      has: { ETag: "$v1", "Content-Length": "5", "KV-Expires-At": null, "Cache-Control": "no-cache, no-transform" },
    },
  ],
  "HEAD tells everything but the value": [
    {
      send: "PUT ?ttl=60",
      headers: { "Content-Type": "text/plain", "KV-Metadata": "1" },
      body: "value",
      gives: 204,
      save: "v1",
    },
    {
      send: "HEAD",
      gives: 200,
      text: "",
      has: {
        ETag: "$v1",
        "Content-Length": "5",
        "Content-Type": "text/plain",
        "KV-Metadata": "1",
        "KV-Expires-At": /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
      },
    },
  ],
  "an absent key": [GONE, { send: "HEAD", gives: 404, text: "" }, { send: "GET /ttl", gives: 404, code: "not_found" }],
  "PUT overwrites and gives a new tag": [
    { ...PUT, save: "v1" },
    { send: "PUT", body: "second", gives: 204, has: { ETag: expect.not.stringMatching("$v1") as never } },
    { ...GET, text: "second" },
  ],
  "DELETE is idempotent": [PUT, { send: "DELETE", gives: 204 }, GONE, { send: "DELETE", gives: 204 }],
  "an empty value is a value": [
    { send: "PUT", body: "", gives: 204 },
    { ...GET, text: "", has: { "Content-Length": "0" } },
  ],

  "content type is kept, and has a default": [
    { send: "PUT", headers: { "Content-Type": "text/html; charset=utf-8" }, body: "<p>", gives: 204 },
    { ...GET, has: { "Content-Type": "text/html; charset=utf-8" } },
    { send: "PUT", body: new Uint8Array([1]), gives: 204 },
    { ...GET, has: { "Content-Type": "application/octet-stream" } },
  ],
  "stored content can't run on this origin": [
    { send: "PUT", headers: { "Content-Type": "text/html" }, body: "<script>1</script>", gives: 204 },
    { ...GET, has: { "X-Content-Type-Options": "nosniff", "Content-Security-Policy": /sandbox/ } },
  ],
  "a content type that can't be kept is refused": [
    { ...PUT, headers: { "Content-Type": "a".repeat(256) }, gives: 400, code: "invalid_content_type" },
    GONE,
  ],
  "an encoded or partial body is refused": [
    { ...PUT, headers: { "Content-Encoding": "gzip" }, gives: 415, code: "unsupported_content_encoding" },
    { ...PUT, headers: { "Content-Range": "bytes 0-4/10" }, gives: 400, code: "partial_put" },
    GONE,
  ],
  "metadata is kept with the value and replaced with it": [
    { ...PUT, headers: { "KV-Metadata": '{"a":[1,"\\u00e9"]}' } },
    { ...GET, has: { "KV-Metadata": '{"a":[1,"\\u00e9"]}' } },
    PUT,
    { ...GET, has: { "KV-Metadata": null } },
  ],
  "metadata is at most 1,024 bytes of JSON": [
    { ...PUT, headers: { "KV-Metadata": json("x".repeat(1022)) } },
    { ...PUT, headers: { "KV-Metadata": json("x".repeat(1023)) }, gives: 400, code: "invalid_metadata" },
    { ...PUT, headers: { "KV-Metadata": "{nonsense" }, gives: 400, code: "invalid_metadata" },
    { ...PUT, headers: { "KV-Metadata": '"é"' }, gives: 400, code: "invalid_metadata" },
    { ...GET, has: { "KV-Metadata": json("x".repeat(1022)) } },
  ],

  "If-None-Match: * creates only": [
    { ...PUT, headers: { "If-None-Match": "*" } },
    { ...PUT, headers: { "If-None-Match": "*" }, body: "other", gives: 412, code: "precondition_failed" },
    { ...GET, text: "value" },
    { send: "DELETE", gives: 204 },
    { ...PUT, headers: { "If-None-Match": "*" } },
  ],
  "If-None-Match with a tag writes unless it is there": [
    { ...PUT, headers: { "If-None-Match": '"00000000000000000000000000000000"' }, save: "v1" },
    { ...PUT, headers: { "If-None-Match": "$v1" }, body: "no", gives: 412 },
    { ...PUT, headers: { "If-None-Match": "W/$v1" }, body: "no", gives: 412 },
    { ...GET, text: "value" },
    { ...PUT, headers: { "If-None-Match": '"other"' }, body: "yes" },
    { ...PUT, headers: { "If-None-Match": "$v1" }, body: "again" },
    { ...GET, text: "again" },
  ],
  "If-Match swaps only what it names": [
    { ...PUT, headers: { "If-Match": "*" }, gives: 412 },
    { ...PUT, save: "v1" },
    { ...PUT, headers: { "If-Match": '"nonsense"' }, gives: 412 },
    { ...PUT, headers: { "If-Match": "W/$v1" }, gives: 412 },
    { ...PUT, headers: { "If-Match": '"nonsense", $v1' }, body: "two", save: "v2" },
    { ...PUT, headers: { "If-Match": "$v1" }, body: "stale", gives: 412 },
    { ...GET, text: "two", has: { ETag: "$v2" } },
    { ...PUT, headers: { "If-Match": "*" }, body: "three" },
    { ...PUT, headers: { "If-Match": "*", "If-None-Match": "*" }, gives: 412 },
    { ...GET, text: "three" },
  ],
  "a list of tags may hold commas in its tags, and empty elements": [
    { ...PUT, save: "v1" },
    { ...PUT, headers: { "If-Match": '"a,b"' }, gives: 412 },
    { ...PUT, headers: { "If-Match": ',"a,b",, $v1 ,' } },
  ],
  "a deleted and recreated key has a tag of its own": [
    { ...PUT, save: "v1" },
    { send: "DELETE", gives: 204 },
    PUT,
    { ...PUT, headers: { "If-Match": "$v1" }, gives: 412 },
  ],
  "DELETE honours If-Match": [
    { send: "DELETE", headers: { "If-Match": "*" }, gives: 412 },
    { ...PUT, save: "v1" },
    { send: "DELETE", headers: { "If-Match": '"no"' }, gives: 412 },
    GET,
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 204 },
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 412 },
    { send: "DELETE", headers: { "If-None-Match": "*" }, gives: 400, code: "invalid_precondition" },
  ],
  "GET honours both preconditions": [
    { ...PUT, save: "v1" },
    { send: "GET", headers: { "If-None-Match": "$v1" }, gives: 304, text: "", has: { ETag: "$v1" } },
    { send: "GET", headers: { "If-None-Match": 'W/$v1, "x"' }, gives: 304 },
    { send: "HEAD", headers: { "If-None-Match": "*" }, gives: 304 },
    { send: "GET", headers: { "If-None-Match": '"x"' }, gives: 200, text: "value" },
    { send: "GET", headers: { "If-Match": "$v1" }, gives: 200 },
    { send: "GET", headers: { "If-Match": '"x"' }, gives: 412 },
  ],
  "a precondition that is not one is refused": [
    { ...PUT, headers: { "If-Match": "unquoted" }, gives: 400, code: "invalid_precondition" },
    { ...PUT, headers: { "If-None-Match": '"open' }, gives: 400, code: "invalid_precondition" },
    { ...PUT, headers: { "If-Match": '"a" "b"' }, gives: 400, code: "invalid_precondition" },
    { ...PUT, headers: { "If-Match": Array(33).fill('"x"').join() }, gives: 400, code: "invalid_precondition" },
    GONE,
    // Of a read as well, whether there is something to read or not.
    { send: "GET", headers: { "If-None-Match": "garbage" }, gives: 400, code: "invalid_precondition" },
    { send: "HEAD", headers: { "If-Match": "garbage" }, gives: 400 },
    PUT,
    { send: "GET", headers: { "If-None-Match": "garbage" }, gives: 400, code: "invalid_precondition" },
    { send: "HEAD", headers: { "If-Match": "garbage" }, gives: 400 },
  ],

  "a wrong method is 405 with what is right": [
    { send: "POST", body: "v", gives: 405, code: "method_not_allowed", has: { Allow: "PUT, GET, HEAD, DELETE" } },
    { send: "PATCH", body: "v", gives: 405 },
    { send: "OPTIONS", gives: 405 },
    { send: "POST /ttl", body: "v", gives: 405, has: { Allow: "GET, HEAD, PUT, DELETE" } },
  ],
  "a read says how consistent it must be": [
    // A replica need not have what was written just now.
    { send: "GET ?consistency=eventual", gives: 404, code: "not_found" },
    { send: "HEAD ?consistency=eventual", gives: 404 },
    { send: "GET /ttl?consistency=eventual", gives: 404 },
    PUT,
    { send: "GET ?consistency=strong", gives: 200 },
    { send: "GET ?consistency=perhaps", gives: 400, code: "invalid_parameter" },
    { send: "GET ?limit=1", gives: 400, code: "invalid_parameter" },
    { send: "DELETE ?force=true", gives: 400, code: "invalid_parameter" },
  ],
  "a request id is given, or kept": [
    { ...GET, gives: 404, headers: { "X-Request-Id": "my-id-1" }, has: { "X-Request-Id": "my-id-1" } },
    { ...GET, gives: 404, has: { "X-Request-Id": /^[0-9a-f-]{36}$/ } },
  ],
};
