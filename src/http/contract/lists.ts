// What the contract says of lists and of deletions by prefix.

import { describe, expect, test } from "bun:test";
import { keysOf, namespacesOf, type Send } from "./namespace.ts";

export function describeLists(name: string, base: string, unchecked: Send) {
  const { send, fresh, put, putAll, list, walk, refusal } = namespacesOf(base, unchecked);

  describe(`lists on ${name}`, () => {
    test("an empty namespace", async () => {
      expect(await list(fresh())).toEqual({ entries: [], cursor: null });
    });

    test("tell everything about an entry but its value", async () => {
      const url = fresh();
      await put(`${url}`, "k?ttl=60", "value", { "Content-Type": "text/plain", "KV-Metadata": '{"a":1}' });
      const etag = (await send(`${url}/k`, { method: "HEAD" })).headers.get("ETag");
      const shown = { key: "k", etag, expires_at: expect.stringMatching(/Z$/), bytes: 5, content_type: "text/plain" };
      expect((await list(url)).entries).toEqual([shown]);
      expect((await list(url, "include=metadata")).entries).toEqual([{ ...shown, metadata: { a: 1 } }]);
      const whole = { ...shown, metadata: { a: 1 }, value: "value" };
      expect((await list(url, "include=metadata,value")).entries).toEqual([whole]);
    });

    test("keys and values that are no text", async () => {
      const url = fresh();
      await putAll(url, ["caf%E9", "caf%C3%A9"]);
      await send(`${url}/z`, { method: "PUT", body: Uint8Array.of(0xff) });
      const { entries } = await list(url, "include=value");
      expect(keysOf({ entries, cursor: null })).toEqual(["café", { key_base64: "Y2Fm6Q==" }, "z"]);
      expect(entries[2]?.value_base64).toBe("/w==");
      expect(keysOf(await list(url, "prefix=caf%E9"))).toEqual([{ key_base64: "Y2Fm6Q==" }]);
    });

    test("are in the order of bytes, within their bounds", async () => {
      const url = fresh();
      await putAll(url, ["b", "a", "B", "a%00", "aa", "ab", "b%2F", "%7F", "%C3%A9"]);
      const all = ["B", "a", "a\0", "aa", "ab", "b", "b/", "\x7f", "é"];
      expect(keysOf(await list(url))).toEqual(all);
      expect(keysOf(await list(url, "reverse=true"))).toEqual(all.toReversed());
      expect(keysOf(await list(url, "prefix=a"))).toEqual(["a", "a\0", "aa", "ab"]);
      expect(keysOf(await list(url, "prefix=a&reverse=true&limit=2"))).toEqual(["ab", "aa"]);
      expect(keysOf(await list(url, "start=a&end=ab"))).toEqual(["a", "a\0", "aa"]);
      expect(keysOf(await list(url, "start_after=a&end=ab"))).toEqual(["a\0", "aa"]);
      expect(keysOf(await list(url, "start_after=a&end=ab&reverse=true"))).toEqual(["aa", "a\0"]);
      expect(keysOf(await list(url, "prefix=b&start=a"))).toEqual(["b", "b/"]);
      expect(keysOf(await list(url, "start=z&end=a"))).toEqual([]);
      expect(keysOf(await list(url, "prefix=%7F"))).toEqual(["\x7f"]);
    });

    test.each(["order=key", "order=key&reverse=true", "order=any"])("page by page, %s", async (order) => {
      const url = fresh();
      const keys = Array.from({ length: 23 }, (_, i) => `k${String(i).padStart(2, "0")}`);
      await putAll(url, keys);
      for (const limit of [1, 5, 23, 24, 1_000]) {
        const walked = await walk(url, `${order}&limit=${limit}`);
        expect(walked.keys.toSorted()).toEqual(keys);
        if (order.endsWith("key")) expect(walked.keys).toEqual(keys);
        if (order.endsWith("true")) expect(walked.keys).toEqual(keys.toReversed());
      }
    });

    test("of other namespaces nothing is seen", async () => {
      const url = fresh();
      const [longer, other] = [`${url}-`, `${url}0`];
      await Promise.all([url, longer, other].map((each) => putAll(each, ["k"])));
      const cursor = (await walkOnce(other, "limit=1")) ?? "";
      expect(keysOf(await list(url))).toEqual(["k"]);
      expect(await refusal(`${url}?limit=1&cursor=${cursor}`)).toEqual([400, "invalid_cursor"]);
    });

    test("only what lives, and what was written before", async () => {
      const url = fresh();
      await putAll(url, ["a", "b", "c", "d"]);
      await put(url, "b?expires_at=1");
      await put(url, "c?ttl_ms=50");
      await send(`${url}/d`, { method: "DELETE" });
      await Bun.sleep(60);
      for (const order of ["key", "any"]) expect((await walk(url, `order=${order}&limit=1`)).keys).toEqual(["a"]);
    });

    test("with a delimiter, as folders", async () => {
      const url = fresh();
      await putAll(url, ["a%2F1", "a%2F2", "a%2Fb%2F3", "b", "c%2F1", "c%2Fd%2F1", "c%2Fd%2F2", "e%2F"]);
      const root = { keys: ["b"], prefixes: ["a/", "c/", "e/"] };
      for (const limit of [1, 2, 100]) {
        expect(await walk(url, `delimiter=/&limit=${limit}`)).toMatchObject(root);
        const reversed = await walk(url, `delimiter=/&reverse=true&limit=${limit}`);
        expect(reversed).toMatchObject({ keys: ["b"], prefixes: ["e/", "c/", "a/"] });
        const below = await walk(url, `delimiter=/&prefix=c/&limit=${limit}`);
        expect(below).toMatchObject({ keys: ["c/1"], prefixes: ["c/d/"] });
      }
      expect(await list(url, "delimiter=/&prefix=a")).toMatchObject({ entries: [], prefixes: ["a/"] });
      expect((await list(url, "delimiter=%2F1")).prefixes).toEqual(["a/1", "c/1", "c/d/1"]);
    });

    test("a page with values ends before there are too many bytes", async () => {
      const url = fresh();
      const value = "x".repeat(1_000_000);
      await Promise.all(Array.from({ length: 10 }, (_, i) => put(url, `k${i}`, value)));
      const first = await list(url, "include=value");
      expect([first.entries.length, first.cursor]).toEqual([8, expect.any(String)]);
      expect((await walk(url, "include=value&order=any")).keys.toSorted()).toHaveLength(10);
    });

    test.each([
      "limit=0",
      "limit=1001",
      "limit=ten",
      "reverse=yes",
      "order=none",
      "include=key",
      "delimiter=",
      "start=a&start_after=a",
      "order=any&reverse=true",
      "order=any&delimiter=/",
      "prefix=%zz",
      "prefix=a&prefix=b",
      `prefix=${"a".repeat(513)}`,
      "unknown=1",
      "__proto__=1",
      "=1",
    ])("%s is refused", async (query) => {
      expect(await refusal(`${fresh()}?${query}`)).toEqual([400, "invalid_parameter"]);
    });

    test("a cursor is good for its query only", async () => {
      const url = fresh();
      await putAll(url, ["a1", "a2", "a3"]);
      const cursor = (await walkOnce(url, "limit=1&prefix=a")) ?? "";
      expect(keysOf(await list(url, `limit=2&prefix=a&cursor=${cursor}`))).toEqual(["a2", "a3"]);
      for (const query of [
        "prefix=a1",
        "prefix=a&reverse=true",
        "prefix=a&order=any",
        "prefix=a&delimiter=/",
        "end=b",
      ]) {
        expect(await refusal(`${url}?${query}&cursor=${cursor}`)).toEqual([400, "invalid_cursor"]);
      }
      for (const wrong of ["", "x", "e30", "bnVsbA", cursor.slice(0, -8)]) {
        expect(await refusal(`${url}?prefix=a&cursor=${wrong}`)).toEqual([400, "invalid_cursor"]);
      }
    });

    async function walkOnce(url: string, query: string) {
      return (await list(url, query)).cursor;
    }
  });

  describe(`deletion by prefix on ${name}`, () => {
    const drop = async (url: string, query: string) => {
      const answer = await send(`${url}?${query}`, { method: "DELETE" });
      return [answer.status, await answer.json()];
    };

    test("deletes what begins so, and says how many", async () => {
      const url = fresh();
      await putAll(url, ["a1", "a2", "b1"]);
      expect(await drop(url, "prefix=a&dry_run=true")).toEqual([200, { deleted: 2, cursor: null }]);
      expect(keysOf(await list(url))).toEqual(["a1", "a2", "b1"]);
      expect(await drop(url, "prefix=a")).toEqual([200, { deleted: 2, cursor: null }]);
      expect(keysOf(await list(url))).toEqual(["b1"]);
      expect(await drop(url, "prefix=")).toEqual([200, { deleted: 1, cursor: null }]);
      expect(await drop(url, "prefix=")).toEqual([200, { deleted: 0, cursor: null }]);
    });

    test("needs a prefix, if only an empty one", async () => {
      expect(await refusal(fresh(), { method: "DELETE" })).toEqual([400, "invalid_parameter"]);
      expect(await refusal(`${fresh()}?prefix=a&cursor=x`, { method: "DELETE" })).toEqual([400, "invalid_cursor"]);
    });
  });

  test(`on ${name} a namespace takes GET, HEAD, POST and DELETE, and must be one`, async () => {
    const url = fresh();
    const answer = await send(url, { method: "PUT", body: "v" });
    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "GET, HEAD, DELETE, POST"]);
    expect(await refusal(`${base}/v1/kv/no%20namespace`)).toEqual([400, "invalid_namespace"]);
  });
}
