// Bulk calls, namespaces and tokens of Cloudflare's REST API.

import { describe, expect, test } from "bun:test";
import { createApp } from "../../app.ts";
import { newToken, Tokens } from "../../auth/tokens.ts";
import { StoreError } from "../../store/error.ts";
import { entryKey } from "../../store/store.ts";
import { newVersion } from "../../store/version.ts";
import { callerOf, late, on, options, ROOT, renewStore, stored, value } from "./cloudflare-calls.ts";

renewStore();
const open = createApp(late, options);
const call = callerOf(open);

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
    on.failing = new StoreError("outcome_unknown", "as the test says");
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
    await on.store.put(entryKey(".lease", "sweep"), own);
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
    on.store.calls.length = 0;
    await ids("");
    // One for each, and one behind the last.
    expect(on.store.calls.length).toBe(3);
  });

  test("are listed up to a bound", async () => {
    const info = { version: newVersion(), contentType: "a/b", metadata: null, valueBytes: 1, expiry: null };
    const keys = Array.from({ length: 2_001 }, (_, i) => entryKey(`n${10_000 + i}`, "k"));
    // The model looks at every key each time.
    on.store.list = async ({ start, limit, rest }) => {
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
    on.failing = new StoreError("overloaded", "as the test says");
    const overloaded = await call("PUT", value("k"), "v");
    expect([overloaded.status, overloaded.code, overloaded.headers.get("Retry-After")]).toEqual([503, 503, "1"]);
    on.failing = new TypeError("a secret");
    expect(await call("PUT", value("k"), "v")).toMatchObject({
      status: 500,
      text: expect.not.stringContaining("secret"),
    });
  });
});
