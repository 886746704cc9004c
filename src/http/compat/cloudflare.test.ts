// Values and names in Cloudflare's REST API.

import { describe, expect, test } from "bun:test";
import { createApp } from "../../app.ts";
import { entryKey } from "../../store/store.ts";
import {
  callerOf,
  form,
  late,
  MAX_VALUE_BYTES,
  on,
  options,
  ROOT,
  renewStore,
  stored,
  value,
} from "./cloudflare-calls.ts";

renewStore();
const open = createApp(late, options);
const call = callerOf(open);

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
    await on.store.put(entryKey("ns", "a\xff"), content);
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
