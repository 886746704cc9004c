// The HTTP contract as a table: each case is a conversation about one fresh key, held with every backend.

import { describe, expect, test } from "bun:test";
import { call, exceptOnWorker, freshKeyUrl, SERVERS, targets } from "./targets.ts";

interface Step {
  /** Method, then what follows the key in the URL: `PUT ?ttl=60`, `GET /ttl`. */
  send: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  gives: number;
  /** `code` of the problem document. */
  code?: string;
  text?: string;
  /** The JSON document, or what looks at it. */
  json?: unknown | ((document: unknown) => void);
  /** What headers must be; null: absent. `$name` stands for a tag saved before. */
  has?: Record<string, string | RegExp | null>;
  /** Saves the ETag under this name. */
  save?: string;
}

const put: Step = { send: "PUT", body: "value", gives: 204 };
const get: Step = { send: "GET", gives: 200 };
const gone: Step = { send: "GET", gives: 404, code: "not_found" };
const expired: Step = { send: "PUT ?expires_at=1", body: "old", gives: 204 };
const json = (document: unknown) => JSON.stringify(document);
type Expiry = { ttl_ms: number; expires_at: string };
/** A time left that is a little less than `seconds`, and never more, with its instant where that is known. */
const about = (seconds: number, instant?: string | RegExp) => (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeLessThanOrEqual(seconds * 1000);
  expect(ttl_ms).toBeGreaterThan((seconds - 20) * 1000);
  expect(expires_at).toMatch(instant ?? /Z$/);
};
/** The instant 4,000,000,000 seconds into the epoch, as some tests set it. */
const in2096 = (document: unknown) => {
  const { ttl_ms, expires_at } = document as Expiry;
  expect(ttl_ms).toBeGreaterThan(1e12);
  expect(expires_at).toBe("2096-10-02T07:06:40.000Z");
};
const never = { ttl_ms: null, expires_at: null };
const epochSeconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;

const cases: Record<string, Step[]> = {
  "a value comes back as it was put": [
    { ...put, has: { ETag: /^"[0-9a-f]{20}"$/, "X-Request-Id": /./ }, save: "v1" },
    {
      ...get,
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
        "KV-Expires-At": /^\d{13}$/,
      },
    },
  ],
  "an absent key": [gone, { send: "HEAD", gives: 404, text: "" }, { send: "GET /ttl", gives: 404, code: "not_found" }],
  "PUT overwrites and gives a new tag": [
    { ...put, save: "v1" },
    { send: "PUT", body: "second", gives: 204, has: { ETag: expect.not.stringMatching("$v1") as never } },
    { ...get, text: "second" },
  ],
  "DELETE is idempotent": [put, { send: "DELETE", gives: 204 }, gone, { send: "DELETE", gives: 204 }],
  "an empty value is a value": [
    { send: "PUT", body: "", gives: 204 },
    { ...get, text: "", has: { "Content-Length": "0" } },
  ],

  "content type is kept, and has a default": [
    { send: "PUT", headers: { "Content-Type": "text/html; charset=utf-8" }, body: "<p>", gives: 204 },
    { ...get, has: { "Content-Type": "text/html; charset=utf-8" } },
    { send: "PUT", body: new Uint8Array([1]), gives: 204 },
    { ...get, has: { "Content-Type": "application/octet-stream" } },
  ],
  "stored content can't run on this origin": [
    { send: "PUT", headers: { "Content-Type": "text/html" }, body: "<script>1</script>", gives: 204 },
    { ...get, has: { "X-Content-Type-Options": "nosniff", "Content-Security-Policy": /sandbox/ } },
  ],
  "a content type that can't be kept is refused": [
    { ...put, headers: { "Content-Type": "a".repeat(256) }, gives: 400, code: "invalid_content_type" },
    gone,
  ],
  "an encoded or partial body is refused": [
    { ...put, headers: { "Content-Encoding": "gzip" }, gives: 415, code: "unsupported_content_encoding" },
    { ...put, headers: { "Content-Range": "bytes 0-4/10" }, gives: 400, code: "partial_put" },
    gone,
  ],
  "metadata is kept with the value and replaced with it": [
    { ...put, headers: { "KV-Metadata": '{"a":[1,"\\u00e9"]}' } },
    { ...get, has: { "KV-Metadata": '{"a":[1,"\\u00e9"]}' } },
    put,
    { ...get, has: { "KV-Metadata": null } },
  ],
  "metadata is at most 1,024 bytes of JSON": [
    { ...put, headers: { "KV-Metadata": json("x".repeat(1022)) } },
    { ...put, headers: { "KV-Metadata": json("x".repeat(1023)) }, gives: 400, code: "invalid_metadata" },
    { ...put, headers: { "KV-Metadata": "{nonsense" }, gives: 400, code: "invalid_metadata" },
    { ...put, headers: { "KV-Metadata": '"é"' }, gives: 400, code: "invalid_metadata" },
    { ...get, has: { "KV-Metadata": json("x".repeat(1022)) } },
  ],

  "If-None-Match: * creates only": [
    { ...put, headers: { "If-None-Match": "*" } },
    { ...put, headers: { "If-None-Match": "*" }, body: "other", gives: 412, code: "precondition_failed" },
    { ...get, text: "value" },
    { send: "DELETE", gives: 204 },
    { ...put, headers: { "If-None-Match": "*" } },
  ],
  "If-None-Match with a tag writes unless it is there": [
    { ...put, headers: { "If-None-Match": '"00000000000000000000000000000000"' }, save: "v1" },
    { ...put, headers: { "If-None-Match": "$v1" }, body: "no", gives: 412 },
    { ...put, headers: { "If-None-Match": "W/$v1" }, body: "no", gives: 412 },
    { ...get, text: "value" },
    { ...put, headers: { "If-None-Match": '"other"' }, body: "yes" },
    { ...put, headers: { "If-None-Match": "$v1" }, body: "again" },
    { ...get, text: "again" },
  ],
  "If-Match swaps only what it names": [
    { ...put, headers: { "If-Match": "*" }, gives: 412 },
    { ...put, save: "v1" },
    { ...put, headers: { "If-Match": '"nonsense"' }, gives: 412 },
    { ...put, headers: { "If-Match": "W/$v1" }, gives: 412 },
    { ...put, headers: { "If-Match": '"nonsense", $v1' }, body: "two", save: "v2" },
    { ...put, headers: { "If-Match": "$v1" }, body: "stale", gives: 412 },
    { ...get, text: "two", has: { ETag: "$v2" } },
    { ...put, headers: { "If-Match": "*" }, body: "three" },
    { ...put, headers: { "If-Match": "*", "If-None-Match": "*" }, gives: 412 },
    { ...get, text: "three" },
  ],
  "a list of tags may hold commas in its tags, and empty elements": [
    { ...put, save: "v1" },
    { ...put, headers: { "If-Match": '"a,b"' }, gives: 412 },
    { ...put, headers: { "If-Match": ',"a,b",, $v1 ,' } },
  ],
  "a deleted and recreated key has a tag of its own": [
    { ...put, save: "v1" },
    { send: "DELETE", gives: 204 },
    put,
    { ...put, headers: { "If-Match": "$v1" }, gives: 412 },
  ],
  "DELETE honours If-Match": [
    { send: "DELETE", headers: { "If-Match": "*" }, gives: 412 },
    { ...put, save: "v1" },
    { send: "DELETE", headers: { "If-Match": '"no"' }, gives: 412 },
    get,
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 204 },
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 412 },
    { send: "DELETE", headers: { "If-None-Match": "*" }, gives: 400, code: "invalid_precondition" },
  ],
  "GET honours both preconditions": [
    { ...put, save: "v1" },
    { send: "GET", headers: { "If-None-Match": "$v1" }, gives: 304, text: "", has: { ETag: "$v1" } },
    { send: "GET", headers: { "If-None-Match": 'W/$v1, "x"' }, gives: 304 },
    { send: "HEAD", headers: { "If-None-Match": "*" }, gives: 304 },
    { send: "GET", headers: { "If-None-Match": '"x"' }, gives: 200, text: "value" },
    { send: "GET", headers: { "If-Match": "$v1" }, gives: 200 },
    { send: "GET", headers: { "If-Match": '"x"' }, gives: 412 },
  ],
  "a precondition that is not one is refused": [
    { ...put, headers: { "If-Match": "unquoted" }, gives: 400, code: "invalid_precondition" },
    { ...put, headers: { "If-None-Match": '"open' }, gives: 400, code: "invalid_precondition" },
    { ...put, headers: { "If-Match": '"a" "b"' }, gives: 400, code: "invalid_precondition" },
    { ...put, headers: { "If-Match": Array(33).fill('"x"').join() }, gives: 400, code: "invalid_precondition" },
    gone,
    // Of a read as well, whether there is something to read or not.
    { send: "GET", headers: { "If-None-Match": "garbage" }, gives: 400, code: "invalid_precondition" },
    { send: "HEAD", headers: { "If-Match": "garbage" }, gives: 400 },
    put,
    { send: "GET", headers: { "If-None-Match": "garbage" }, gives: 400, code: "invalid_precondition" },
    { send: "HEAD", headers: { "If-Match": "garbage" }, gives: 400 },
  ],

  "each spelling of an expiry": [
    { send: "PUT ?ttl=60", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "PUT ?ttl_ms=90000", body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(90) },
    { send: `PUT ?expires_at=${epochSeconds(120)}`, body: "v", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(120, /^20.*\.000Z$/) },
    { ...get, has: { "KV-Expires-At": /000$/ } },
  ],
  "PUT clears an earlier expiry, unless it is kept": [
    { send: "PUT ?ttl=60", body: "v", gives: 204 },
    { send: "PUT ?keep_ttl=true", body: "kept", gives: 204 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { ...get, text: "kept", save: "v1" },
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
    expired,
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
    { send: `PUT ?expires_at=${epochSeconds(3155760010)}`, body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&ttl_ms=60000", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&expires_at=99999999999", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&keep_ttl=true", body: "v", gives: 400, code: "invalid_ttl" },
    { send: "PUT ?ttl=60&ttl=61", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?__proto__=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?tll=60", body: "v", gives: 400, code: "invalid_parameter" },
    { send: "PUT ?keep_ttl=yes", body: "v", gives: 400, code: "invalid_parameter" },
    gone,
    { send: "PUT ?ttl=3155760000", body: "v", gives: 204 },
  ],
  "a past expires_at: the key is gone, to every call": [
    put,
    { ...expired, save: "v1" },
    gone,
    { send: "HEAD", gives: 404 },
    { send: "GET /ttl", gives: 404 },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 404, code: "not_found" },
    { send: "DELETE /ttl", gives: 404 },
    { ...put, headers: { "If-Match": "$v1" }, gives: 412 },
    { ...put, headers: { "If-Match": "*" }, gives: 412 },
    { send: "DELETE", headers: { "If-Match": "$v1" }, gives: 412 },
    gone,
    { ...put, headers: { "If-None-Match": "*" }, body: "new" },
    { ...get, text: "new" },
    expired,
    { ...put, headers: { "If-None-Match": '"x"' }, body: "newer" },
    { ...get, text: "newer" },
  ],

  "TTL of a key, set, changed and removed": [
    put,
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
    { ...get, text: "value" },
  ],
  "a TTL change keeps the tag": [
    { ...put, save: "v1" },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200 },
    { ...get, has: { ETag: "$v1" } },
  ],
  "a TTL set to the past ends the key": [
    put,
    {
      send: "PUT /ttl",
      body: json({ expires_at: 1 }),
      gives: 200,
      json: { ttl_ms: 0, expires_at: "1970-01-01T00:00:01.000Z" },
    },
    gone,
  ],
  "if=nx: only where there is no expiry": [
    { send: "PUT /ttl?if=nx", body: json({ ttl: 60 }), gives: 404 },
    put,
    { send: "PUT /ttl?if=nx", body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=nx", body: json({ ttl: 600 }), gives: 412, code: "precondition_failed" },
    { send: "PUT /ttl?if=nx", body: json({ expires_at: 4000000000 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
  ],
  "if=xx: only where there is one": [
    put,
    { send: "PUT /ttl?if=xx", body: json({ ttl: 60 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT /ttl", body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=xx", body: json({ ttl: 600 }), gives: 200 },
    { send: "PUT /ttl?if=xx", body: json({ expires_at: 4000000000 }), gives: 200 },
    { send: "GET /ttl", gives: 200, json: in2096 },
  ],
  "if=gt: only later, and no expiry is infinitely late": [
    put,
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
    put,
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
    gone,
  ],
  "a TTL call honours If-Match": [
    { ...put, save: "v1" },
    { send: "PUT /ttl", headers: { "If-Match": '"x"' }, body: json({ ttl: 60 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: never },
    { send: "PUT /ttl?if=nx", headers: { "If-Match": "$v1" }, body: json({ ttl: 60 }), gives: 200 },
    { send: "PUT /ttl?if=gt", headers: { "If-Match": '"x"' }, body: json({ ttl: 600 }), gives: 412 },
    { send: "GET /ttl", gives: 200, json: about(60) },
    { send: "DELETE /ttl", headers: { "If-Match": "$v1" }, gives: 400, code: "invalid_precondition" },
  ],
  "a TTL call with a body that is not one": [
    put,
    { send: "PUT /ttl", body: "60", gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: "", gives: 400, code: "invalid_json" },
    { send: "PUT /ttl", body: "{ttl:60}", gives: 400, code: "invalid_json" },
    { send: "PUT /ttl", body: "{}", gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: "60" }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 0 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60, ttl_ms: 1 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60, more: 1 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 1e300 }), gives: 400, code: "invalid_ttl" },
    { send: "PUT /ttl", body: json({ ttl: 60 }).padEnd(2000), gives: 413, code: "body_too_large" },
    { send: "PUT /ttl?if=new", body: json({ ttl: 60 }), gives: 400, code: "invalid_parameter" },
    { send: "GET /ttl", gives: 200, json: never },
  ],

  "a wrong method is 405 with what is right": [
    { send: "POST", body: "v", gives: 405, code: "method_not_allowed", has: { Allow: "PUT, GET, HEAD, DELETE" } },
    { send: "PATCH", body: "v", gives: 405 },
    { send: "OPTIONS", gives: 405 },
    { send: "POST /ttl", body: "v", gives: 405, has: { Allow: "GET, HEAD, PUT, DELETE" } },
  ],
  "a read says how consistent it must be": [
    put,
    { send: "GET ?consistency=strong", gives: 200 },
    { send: "GET ?consistency=eventual", gives: 200 },
    { send: "GET ?consistency=perhaps", gives: 400, code: "invalid_parameter" },
    { send: "GET ?limit=1", gives: 400, code: "invalid_parameter" },
    { send: "DELETE ?force=true", gives: 400, code: "invalid_parameter" },
  ],
  "a request id is given, or kept": [
    { ...get, gives: 404, headers: { "X-Request-Id": "my-id-1" }, has: { "X-Request-Id": "my-id-1" } },
    { ...get, gives: 404, has: { "X-Request-Id": /^[0-9a-f-]{36}$/ } },
  ],
};

describe.each(SERVERS)("contract on %s", (server) => {
  const base = targets[server].url;

  test.each(Object.entries(cases))("%s", async (_, steps) => {
    const url = freshKeyUrl(base);
    const tags = new Map<string, string>();
    const filled = (text: string) => text.replace(/\$(\w+)/g, (_, name) => tags.get(name) ?? `missing tag ${name}`);
    for (const [i, step] of steps.entries()) {
      const [method = "", suffix = ""] = step.send.split(" ");
      const headers = Object.fromEntries(
        Object.entries(step.headers ?? {}).map(([name, text]) => [name, filled(text)]),
      );
      const answer = await call(url + suffix, { method, headers, body: step.body });
      const text = await answer.text();
      const where = `step ${i + 1}, ${step.send}: ${text}`;
      expect(`${where} → ${answer.status}`).toBe(`${where} → ${step.gives}`);
      if (step.text !== undefined) expect(text).toBe(step.text);
      if (typeof step.json === "function") step.json(JSON.parse(text));
      else if (step.json !== undefined) expect(JSON.parse(text)).toEqual(step.json);
      if (step.gives >= 400 && method !== "HEAD") {
        expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
        expect(JSON.parse(text)).toEqual({
          type: "about:blank",
          title: expect.any(String),
          status: step.gives,
          code: step.code ?? expect.any(String),
          detail: expect.any(String),
          request_id: answer.headers.get("X-Request-Id"),
        });
      }
      for (const [name, wanted] of Object.entries(step.has ?? {})) {
        const actual = answer.headers.get(name);
        if (wanted instanceof RegExp) expect(actual).toMatch(wanted);
        else expect(actual).toEqual(typeof wanted === "string" ? filled(wanted) : wanted);
      }
      if (step.save) tags.set(step.save, answer.headers.get("ETag") ?? "");
    }
  });

  exceptOnWorker(server)("an empty precondition is refused", async () => {
    const url = freshKeyUrl(base);
    expect((await call(url, { method: "PUT", headers: { "If-None-Match": "" }, body: "v" })).status).toBe(400);
    expect((await call(url)).status).toBe(404);
  });

  test("paths that name nothing", async () => {
    for (const [path, status, code] of [
      ["/", 404, "no_such_route"],
      ["/v1/kv/ns/a/b", 404, "no_such_route"],
      ["/v1/kv/ns/a/ttl/b", 404, "no_such_route"],
      ["/v2/kv/ns/a", 404, "no_such_route"],
    ] as const) {
      const answer = await call(base + path);
      expect([path, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([path, status, code]);
    }
  });

  test("health and readiness", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      expect((await call(base + path)).status).toBe(200);
      expect((await call(base + path, { method: "POST" })).headers.get("Allow")).toBe("GET, HEAD");
    }
  });
});
