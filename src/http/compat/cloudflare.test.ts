import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../../app.ts";
import { newToken, Tokens } from "../../auth/tokens.ts";
import { StoreError } from "../../store/error.ts";
import { ModelStore } from "../../store/model.ts";
import { entryKey } from "../../store/store.ts";
import { newVersion } from "../../store/version.ts";

const MAX_VALUE_BYTES = 4_096;
const ROOT = "/client/v4/accounts/any/storage/kv/namespaces";

let store = new ModelStore();
/** In place of a write, where a test has put one. */
let failing: Error | undefined;
const late = new Proxy({} as ModelStore, {
  get: (_, name: keyof ModelStore) =>
    name === "put" && failing ? () => Promise.reject(failing) : (store[name] as () => void).bind(store),
});
beforeEach(() => {
  store = new ModelStore(() => Date.now());
  failing = undefined;
});

const options = {
  ...{ maxValueBytes: MAX_VALUE_BYTES, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
  ...{ isDraining: () => false, isFull: () => false },
};
const open = createApp(late, options);

async function call(method: string, path: string, body?: RequestInit["body"] | object, headers = {}, app = open) {
  const isDocument = typeof body === "object" && !(body instanceof FormData) && !Buffer.isBuffer(body);
  const sent = isDocument ? JSON.stringify(body) : (body as RequestInit["body"]);
  const answer = await app.fetch(new Request(`http://kv${path}`, { method, body: sent, headers }));
  const text = await answer.text();
  const isEnvelope = answer.headers.get("Content-Type") === "application/json";
  const { success, errors, result, result_info } = isEnvelope ? JSON.parse(text) : {};
  if (isEnvelope) expect(success).toBe(answer.status === 200);
  return { status: answer.status, headers: answer.headers, text, code: errors?.[0]?.code, errors, result, result_info };
}
const value = (key: string) => `${ROOT}/ns/values/${encodeURIComponent(key)}`;
const stored = (key: string) => store.entry(entryKey("ns", Buffer.from(key).toString("latin1")).toString("latin1"));
const form = (fields: Record<string, string | Blob>) => {
  const made = new FormData();
  for (const [name, field] of Object.entries(fields)) made.append(name, field);
  return made;
};

describe("a value", () => {
  test("is the bytes that were sent", async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
    expect((await call("PUT", value("foo/b:ar %"), bytes)).result).toEqual({});
    expect(stored("foo/b:ar %")?.value).toEqual(bytes);
    const { headers, status } = await call("GET", value("foo/b:ar %"));
    expect([status, headers.get("Content-Type"), headers.get("Expiration")]).toEqual([
      200,
      "application/octet-stream",
      null,
    ]);
    const answer = await open.fetch(new Request(`http://kv${value("foo/b:ar %")}`));
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
    expect((await call("HEAD", value("foo/b:ar %"))).headers.get("Content-Length")).toBe("512");
    expect((await call("DELETE", value("foo/b:ar %"))).status).toBe(200);
    expect(await call("GET", value("foo/b:ar %"))).toMatchObject({ status: 404, code: 10_009 });
    expect((await call("DELETE", value("foo/b:ar %"))).status).toBe(200);
  });

  test("keeps its content type for our own API", async () => {
    await call("PUT", value("k"), "v", { "Content-Type": "text/plain" });
    expect(stored("k")?.contentType).toBe("text/plain");
    expect((await call("GET", value("k"))).headers.get("Content-Type")).toBe("application/octet-stream");
  });

  test("comes in a form, with its metadata", async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => 255 - (i % 256)));
    const metadata = '{\t"日本": [1, 12345678901234567890]}';
    await call("PUT", value("k"), form({ value: new Blob([bytes]), metadata }));
    expect(stored("k")?.value).toEqual(bytes);
    expect(stored("k")?.metadata).toBe('{ "日本": [1, 12345678901234567890]}');
    await call("PUT", value("k"), form({ value: "täxt", metadata: "null" }));
    expect([stored("k")?.value.toString(), stored("k")?.metadata]).toEqual(["täxt", null]);
    expect(stored("k")?.contentType).toBe("application/octet-stream");
  });

  test("comes in a form in which each leaf of its metadata is a field", async () => {
    const sent = form({ value: "v", "metadata[a]": "1", "metadata[ü][b]": "x", "metadata[__proto__]": "p" });
    sent.append("metadata[list][]", "1");
    sent.append("metadata[list][]", "2");
    await call("PUT", value("k"), sent);
    expect(stored("k")?.metadata).toBe('{"a":"1","ü":{"b":"x"},"__proto__":"p","list":["1","2"]}');
    await call("PUT", value("k"), form({ value: "v", "metadata[]": "1" }));
    expect(stored("k")?.metadata).toBe('["1"]');
  });

  test.each([
    ["no value", form({ metadata: "1" }), 400],
    ["another field", form({ value: "v", other: "1" }), 400],
    ["metadata twice", form({ value: "v", metadata: "1", "metadata[a]": "1" }), 400],
    ["a contradiction", form({ value: "v", "metadata[a]": "1", "metadata[a][b]": "1" }), 400],
    ["an array of objects", form({ value: "v", "metadata[a][]": "1", "metadata[a][][b]": "1" }), 400],
    ["a name without an end", form({ value: "v", "metadata[a": "1" }), 400],
    ["a deep name", form({ value: "v", [`metadata${"[a]".repeat(1_000)}`]: "1" }), 400],
    ["metadata that is no JSON", form({ value: "v", metadata: "{" }), 400],
    ["metadata that is too large", form({ value: "v", metadata: JSON.stringify("x".repeat(1_023)) }), 400],
    ["a value that is too large", form({ value: "v".repeat(MAX_VALUE_BYTES + 1) }), 413],
    ["far too much", form({ value: "v".repeat(MAX_VALUE_BYTES + 20_000) }), 413],
  ])("is refused in a form with %s", async (_, body, status) => {
    expect(await call("PUT", value("k"), body)).toMatchObject({ status, code: status });
    expect(stored("k")).toBeNull();
  });

  test("is refused in what is no form", async () => {
    const headers = { "Content-Type": "multipart/form-data; boundary=x" };
    expect(await call("PUT", value("k"), "nonsense", headers)).toMatchObject({ status: 400 });
    expect(await call("PUT", value("k"), "--x--", { "Content-Type": "multipart/form-data" })).toMatchObject({
      status: 400,
    });
  });

  test.each([
    ["?expiration_ttl=0.5", 500],
    ["?expiration_ttl=1", 1_000],
    ["?expiration_ttl=60&expiration=1", 60_000],
  ])("expires as %s says", async (query, ttlMs) => {
    const before = Date.now();
    expect((await call("PUT", value("k") + query, "v")).status).toBe(200);
    const { atMs = 0 } = stored("k")?.expiry ?? {};
    expect(atMs - before).toBeWithin(ttlMs, ttlMs + 1_000);
    expect((await call("GET", value("k"))).headers.get("Expiration")).toBe(String(Math.floor(atMs / 1000)));
    await call("PUT", value("k"), "v");
    expect(stored("k")?.expiry).toBeNull();
  });

  test("expires at an instant, to the millisecond", async () => {
    const seconds = Math.ceil(Date.now() / 1000) + 5;
    await call("PUT", `${value("k")}?expiration=${seconds}.25`, "v");
    expect(stored("k")?.expiry?.atMs).toBe(seconds * 1000 + 250);
  });

  test.each([
    ...["expiration_ttl=0", "expiration_ttl=-1", "expiration_ttl=1e3", "expiration_ttl=9999999999", "expiration=60"],
    ...["expiration=0", "expiration=x", "other=1", "expiration_ttl=0.0001"],
  ])("is not written with %s", async (query) => {
    expect(await call("PUT", `${value("k")}?${query}`, "v")).toMatchObject({ status: 400, code: 400 });
    expect(stored("k")).toBeNull();
  });

  test("is bounded, and so is its key", async () => {
    expect(await call("PUT", value("k"), Buffer.alloc(MAX_VALUE_BYTES + 1))).toMatchObject({ status: 413 });
    expect(await call("PUT", value("k".repeat(513)), "v")).toMatchObject({ status: 400 });
    expect(await call("PUT", `${ROOT}/ns/values/%ff`, "v")).toMatchObject({ status: 400 });
    expect(await call("PUT", `${ROOT}/n.s/values/k`, "v")).toMatchObject({ status: 404, code: 10_013 });
    expect(await call("PUT", value("k"), "v", { "Content-Encoding": "gzip" })).toMatchObject({ status: 415 });
  });

  test("has metadata, which is null where there is none", async () => {
    await call("PUT", value("k"), form({ value: "v", metadata: '{"ü":1}' }));
    expect((await call("GET", `${ROOT}/ns/metadata/k`)).result).toEqual({ ü: 1 });
    await call("PUT", value("k"), "v");
    expect((await call("GET", `${ROOT}/ns/metadata/k`)).result).toBeNull();
    expect(await call("GET", `${ROOT}/ns/metadata/none`)).toMatchObject({ status: 404, code: 10_009 });
  });

  test("is read by our own API, with its metadata in ASCII", async () => {
    await call("PUT", value("k"), form({ value: "v", metadata: '"é😀"' }));
    const { headers } = await open.fetch(new Request("http://kv/v1/kv/ns/k"));
    expect(headers.get("KV-Metadata")).toBe('"\\u00e9\\ud83d\\ude00"');
  });
});

describe("names", () => {
  test("are listed in pages, without those that are no text", async () => {
    const content = { value: Buffer.of(1), contentType: "a/b", metadata: null, expiry: "never" } as const;
    await store.put(entryKey("ns", "a\xff"), content);
    for (const name of ["a1", "aü", "a3", "b"]) {
      await call("PUT", `${value(name)}?expiration=4000000000`, form({ value: "v", metadata: '"m"' }));
    }
    const first = await call("GET", `${ROOT}/ns/keys?prefix=a&limit=2`);
    expect(first.result).toEqual([
      { name: "a1", expiration: 4_000_000_000, metadata: "m" },
      { name: "a3", expiration: 4_000_000_000, metadata: "m" },
    ]);
    expect(first.result_info).toEqual({ count: 2, cursor: expect.stringMatching(/./) });
    const query = `prefix=a&limit=2&cursor=${first.result_info.cursor}`;
    const second = await call("GET", `${ROOT}/ns/keys?${query}`);
    expect([second.result.map(({ name }: { name: string }) => name), second.result_info]).toEqual([
      ["aü"],
      { count: 1, cursor: "" },
    ]);
    expect(await call("GET", `${ROOT}/ns/keys?${query.replace("=a", "=b")}`)).toMatchObject({ status: 400 });
    expect((await call("GET", `${ROOT}/ns/keys?prefix=${encodeURIComponent("aü")}&cursor=`)).result).toHaveLength(1);
    for (const limit of ["0", "1001", "x"]) {
      expect(await call("GET", `${ROOT}/ns/keys?limit=${limit}`)).toMatchObject({ status: 400 });
    }
  });
});

describe("bulk", () => {
  const pairs = [
    { key: "ä", value: "text", metadata: { a: ["日本"] }, expiration_ttl: 60 },
    { key: "b", value: "/wA=", base64: true, expiration: 4_000_000_000.5 },
    { key: "b2", value: "7" },
    { key: "b2", value: "8" },
  ];

  test("writes, reads and deletes", async () => {
    const written = await call("PUT", `${ROOT}/ns/bulk`, pairs);
    expect(written.result).toEqual({ successful_key_count: 4, unsuccessful_keys: [] });
    expect([stored("b")?.value, stored("b")?.expiry?.atMs]).toEqual([Buffer.of(255, 0), 4_000_000_000_500]);
    const keys = ["ä", "b", "b2", "none", "__proto__"];
    const read = await call("POST", `${ROOT}/ns/bulk/get`, { keys });
    expect(Object.entries(read.result.values)).toEqual([
      ["ä", "text"],
      ["b", "\ufffd\0"],
      ["b2", "8"],
      ["none", null],
      ["__proto__", null],
    ]);
    const more = await call("POST", `${ROOT}/ns/bulk/get`, { keys: ["ä", "b", "none"], withMetadata: true });
    expect(more.result.values).toEqual({
      ä: { value: "text", metadata: { a: ["日本"] }, expiration: expect.any(Number) },
      b: { value: "\ufffd\0", metadata: null, expiration: 4_000_000_000 },
      none: null,
    });
    expect((await call("POST", `${ROOT}/ns/bulk/get`, { keys: ["b2"], type: "json" })).result.values).toEqual({
      b2: 8,
    });
    expect(await call("POST", `${ROOT}/ns/bulk/get`, { keys: ["ä"], type: "json" })).toMatchObject({ status: 400 });
    for (const [method, path] of [
      ["POST", "bulk/delete"],
      ["DELETE", "bulk"],
    ] as const) {
      await call("PUT", `${ROOT}/ns/bulk`, pairs);
      const deleted = await call(method, `${ROOT}/ns/${path}`, ["ä", "b", "b2", "none"]);
      expect(deleted.result).toEqual({ successful_key_count: 4, unsuccessful_keys: [] });
      expect((await call("GET", `${ROOT}/ns/keys`)).result).toEqual([]);
    }
  });

  test.each([
    ["no array", {}],
    ["no pair", []],
    ["an empty key", [pairs[2], { key: "", value: "v" }]],
    ["a key that is too long", [pairs[2], { key: "ü".repeat(257), value: "v" }]],
    ["a key that is not Unicode", [pairs[2], { key: "\ud800", value: "v" }]],
    ["a dot for a key", [pairs[2], { key: "..", value: "v" }]],
    ["no value", [pairs[2], { key: "k" }]],
    ["what is no base64", [pairs[2], { key: "k", value: "ü", base64: true }]],
    ["metadata that is too large", [pairs[2], { key: "k", value: "v", metadata: "x".repeat(1_023) }]],
    ["an expiry that is over", [pairs[2], { key: "k", value: "v", expiration: 1 }]],
    ["a TTL of nothing", [pairs[2], { key: "k", value: "v", expiration_ttl: 0 }]],
    ["an unknown field", [pairs[2], { key: "k", value: "v", ttl: 1 }]],
    ["too many pairs", Array.from({ length: 10_001 }, () => pairs[2])],
  ])("writes nothing with %s", async (_, body) => {
    expect(await call("PUT", `${ROOT}/ns/bulk`, body)).toMatchObject({ status: 400, code: 400 });
    expect(stored("b2")).toBeNull();
  });

  test("writes up to 10,000 pairs", async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ key: `k${i}`, value: "v" }));
    expect((await call("PUT", `${ROOT}/ns/bulk`, many)).result.successful_key_count).toBe(10_000);
  });

  test("succeeds only where every key did", async () => {
    failing = new StoreError("outcome_unknown", "as the test says");
    const { status, code, result, errors } = await call("PUT", `${ROOT}/ns/bulk`, pairs.slice(0, 2));
    expect([status, code, result]).toEqual([503, 503, { successful_key_count: 0, unsuccessful_keys: ["ä", "b"] }]);
    expect(errors[0].message).toStartWith("2 of 2 keys failed; of the first of them: The write was sent but");
  });

  test.each([
    ["too many keys", { keys: Array.from({ length: 101 }, String) }],
    ["no key", { keys: [] }],
    ["another type", { keys: ["a"], type: "stream" }],
    ["an unknown field", { keys: ["a"], cacheTtl: 60 }],
  ])("reads nothing with %s", async (_, body) => {
    expect(await call("POST", `${ROOT}/ns/bulk/get`, body)).toMatchObject({ status: 400 });
  });

  test("says so where values are too many bytes for one answer", async () => {
    const app = createApp(late, { ...options, maxValueBytes: 5 * 1024 * 1024 });
    const put = (key: string) => call("PUT", value(key), Buffer.alloc(5 * 1024 * 1024), {}, app);
    for (const key of ["a", "b"]) expect((await put(key)).status).toBe(200);
    expect(await call("POST", `${ROOT}/ns/bulk/get`, { keys: ["a", "b"] }, {}, app)).toMatchObject({ status: 413 });
  });
});

describe("namespaces", () => {
  const fill = async (...ids: string[]) => {
    for (const id of ids) for (let i = 0; i < 20; i++) await call("PUT", `${ROOT}/${id}/values/k${i}`, "v");
  };
  const ids = async (query: string) =>
    (await call("GET", `${ROOT}?${query}`)).result.map(({ id }: { id: string }) => id);

  test("are listed while they hold keys, in pages", async () => {
    await fill("c", "a", "B", "d-1", "d_2");
    const own = { value: Buffer.of(1), contentType: "a/b", metadata: null, expiry: "never" } as const;
    await store.put(entryKey(".lease", "sweep"), own);
    expect(await ids("")).toEqual(["B", "a", "c", "d-1", "d_2"]);
    expect(await ids("per_page=2")).toEqual(["B", "a"]);
    expect(await ids("per_page=2&page=2&order=title")).toEqual(["c", "d-1"]);
    expect(await ids("per_page=2&page=3")).toEqual(["d_2"]);
    expect(await ids("per_page=2&page=4")).toEqual([]);
    expect(await ids("per_page=2&direction=desc")).toEqual(["d_2", "d-1"]);
    const { result, result_info } = await call("GET", `${ROOT}?per_page=1`);
    expect(result).toEqual([{ id: "B", title: "B", supports_url_encoding: true }]);
    expect(result_info).toEqual({ page: 1, per_page: 1, count: 1 });
    for (const query of ["per_page=1001", "per_page=0", "page=0", "order=x", "x=1"]) {
      expect(await call("GET", `${ROOT}?${query}`)).toMatchObject({ status: 400 });
    }
  });

  test("are found without reading what they hold", async () => {
    await fill("a", "b");
    store.calls.length = 0;
    await ids("");
    // One for each, and one behind the last.
    expect(store.calls.length).toBe(3);
  });

  test("are listed up to a bound", async () => {
    const info = { version: newVersion(), contentType: "a/b", metadata: null, valueBytes: 1, expiry: null };
    const keys = Array.from({ length: 2_001 }, (_, i) => entryKey(`n${10_000 + i}`, "k"));
    // The model looks at every key each time.
    store.list = async ({ start, limit, rest }) => {
      const bound = rest && "bound" in rest ? rest.bound : start;
      const from = keys.findIndex((key) => Buffer.compare(key, bound) >= 0);
      if (from < 0) return { entries: [], rest: null };
      const entries = keys.slice(from, from + limit).map((key) => ({ ...info, key }));
      const next = keys[from + limit];
      return { entries, rest: next ? { bound: next } : null };
    };
    expect(await ids("per_page=1000&page=2")).toHaveLength(1_000);
    expect(await call("GET", `${ROOT}?per_page=1000&page=3`)).toMatchObject({ status: 400 });
    keys.pop();
    expect(await ids("per_page=1000&page=3")).toEqual([]);
  });

  test("are made by any title, which tells their id", async () => {
    for (const [title, id] of [
      ["cache", "cache"],
      ["My Own Namespace", "My--20Own--20Namespace"],
      ["ü--20", "--c3--bc--2d-20"],
    ] as const) {
      const made = { id, title, supports_url_encoding: true };
      expect((await call("POST", ROOT, { title })).result).toEqual(made);
      expect((await call("GET", `${ROOT}/${id}`)).result).toEqual(made);
      await call("PUT", `${ROOT}/${id}/values/k`, "v");
      expect(await call("POST", ROOT, { title })).toMatchObject({ status: 400, code: 10_014 });
    }
    expect((await call("GET", `${ROOT}/a--zz--ff`)).result.title).toBe("a--zz--ff");
    for (const body of [{}, { title: "" }, { title: "x".repeat(65) }, { title: "a", jurisdiction: "eu" }, "x"]) {
      expect(await call("POST", ROOT, body)).toMatchObject({ status: 400, code: 400 });
    }
  });

  test("keep their title", async () => {
    expect((await call("PUT", `${ROOT}/cache`, { title: "cache" })).result.title).toBe("cache");
    expect(await call("PUT", `${ROOT}/cache`, { title: "other" })).toMatchObject({ status: 400 });
  });

  test("are deleted with all that they hold", async () => {
    await fill("a", "a-b");
    expect((await call("DELETE", `${ROOT}/a`)).result).toEqual({});
    expect(await ids("")).toEqual(["a-b"]);
    expect((await call("DELETE", `${ROOT}/a`)).status).toBe(200);
  });
});

describe("the door", () => {
  const reader = newToken(["read"], "ns");
  const writer = newToken(["write"], "ns");
  const all = newToken(["read", "write"], "*");
  const tokens = new Tokens([{ name: "KV_TOKENS", text: [reader, writer, all].map(({ entry }) => entry).join("\n") }]);
  const app = createApp(late, { ...options, tokens: () => tokens });
  const bearer = ({ token }: { token: string }) => ({ Authorization: `Bearer ${token}` });
  const asked = async (method: string, path: string, headers: object, body?: string | object) => {
    const { status, code } = await call(method, path, body, headers, app);
    return code === undefined ? status : [status, code];
  };

  test("takes a token as each client sends it", async () => {
    expect(await asked("GET", `${ROOT}/ns/keys`, {})).toEqual([401, 10_000]);
    expect(await asked("GET", `${ROOT}/ns/keys`, { "X-Auth-Key": "x", "X-Auth-Email": "a@b" })).toEqual([401, 10_000]);
    for (const name of ["X-Auth-Key", "X-Auth-User-Service-Key"]) {
      expect(await asked("GET", `${ROOT}/ns/keys`, { [name]: reader.token })).toBe(200);
    }
    expect(await asked("GET", `${ROOT}/ns/keys`, bearer(reader))).toBe(200);
  });

  test("lets each token do what it allows", async () => {
    const forbidden = [403, 10_000];
    expect(await asked("GET", `${ROOT}/other/keys`, bearer(reader))).toEqual(forbidden);
    expect(await asked("PUT", value("k"), bearer(reader), "v")).toEqual(forbidden);
    expect(await asked("PUT", `${ROOT}/ns/bulk`, bearer(reader), [{ key: "k", value: "v" }])).toEqual(forbidden);
    expect(await asked("POST", `${ROOT}/ns/bulk/delete`, bearer(reader), ["k"])).toEqual(forbidden);
    expect(await asked("POST", `${ROOT}/ns/bulk/get`, bearer(reader), { keys: ["k"] })).toBe(200);
    expect(await asked("POST", `${ROOT}/ns/bulk/get`, bearer(writer), { keys: ["k"] })).toEqual(forbidden);
    expect(await asked("PUT", `${ROOT}/ns/bulk`, bearer(writer), [{ key: "k", value: "v" }])).toBe(200);
    expect(await asked("GET", ROOT, bearer(reader))).toEqual(forbidden);
    expect(await asked("POST", ROOT, bearer(writer), { title: "ns" })).toEqual(forbidden);
    expect(await asked("GET", ROOT, bearer(all))).toBe(200);
  });

  test("says in the interface's own form what is nowhere", async () => {
    expect(await call("GET", "/client/v4/user/tokens/verify")).toMatchObject({ status: 404, code: 7_003 });
    const refused = await call("POST", `${ROOT}/ns/keys`, "x");
    expect([refused.status, refused.code, refused.headers.get("Allow")]).toEqual([405, 7_001, "GET"]);
    failing = new StoreError("overloaded", "as the test says");
    const overloaded = await call("PUT", value("k"), "v");
    expect([overloaded.status, overloaded.code, overloaded.headers.get("Retry-After")]).toEqual([503, 503, "1"]);
    failing = new TypeError("a secret");
    expect(await call("PUT", value("k"), "v")).toMatchObject({
      status: 500,
      text: expect.not.stringContaining("secret"),
    });
  });
});
