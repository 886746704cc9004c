// What the contract says of lists, deletions by prefix, and batches.

import { describe, expect, test } from "bun:test";
import { expectDeclared } from "./declared.ts";
import { json } from "./step.ts";

type Send = (url: string, init: RequestInit) => Promise<Response>;

interface Listed {
  entries: ({ key?: string; key_base64?: string } & Record<string, unknown>)[];
  prefixes?: unknown[];
  cursor: string | null;
}
type Result = { status: number; code?: string } & Record<string, unknown>;

/** The contract of namespaces as tests of a server at `base`. */
export function describeNamespaces(name: string, base: string, unchecked: Send) {
  const send: Send = async (url, init) => {
    const answer = await unchecked(url, init);
    const body = await answer.bytes();
    expectDeclared(init.method ?? "GET", url, answer, Buffer.from(body).toString());
    return new Response(body.length > 0 ? body : null, answer);
  };
  const fresh = () => `${base}/v1/kv/${crypto.randomUUID()}`;
  const put = async (url: string, key: string, body = "v", headers = {}) => {
    expect((await send(`${url}/${key}`, { method: "PUT", body, headers })).status).toBe(204);
  };
  const putAll = (url: string, keys: string[]) => Promise.all(keys.map((key) => put(url, key, key)));
  const list = async (url: string, query = ""): Promise<Listed> => {
    const answer = await send(`${url}?${query}`, {});
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    return (await answer.json()) as Listed;
  };
  const keysOf = ({ entries }: Listed) => entries.map(({ key, key_base64 }) => key ?? { key_base64 });
  /** All pages, with the number of them. */
  const walk = async (url: string, query: string) => {
    const [keys, prefixes]: [unknown[], unknown[]] = [[], []];
    let cursor = "";
    for (let pages = 1; ; pages++) {
      const page = await list(url, `${query}${cursor && `&cursor=${cursor}`}`);
      keys.push(...keysOf(page));
      prefixes.push(...(page.prefixes ?? []));
      if (page.cursor === null) return { keys, prefixes, pages };
      cursor = page.cursor;
    }
  };
  const refusal = async (url: string, init: RequestInit = {}) => {
    const answer = await send(url, init);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };

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

  describe(`batches on ${name}`, () => {
    const batch = async (url: string, operations: unknown[]): Promise<Result[]> => {
      const answer = await send(url, { method: "POST", body: json({ operations }) });
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { results: Result[] }).results;
    };
    const etag = expect.stringMatching(/^"[0-9a-f]{20}"$/);
    const never = { expires_at: null, ttl_ms: null };

    test("each operation is answered as its single call", async () => {
      const url = fresh();
      await put(url, "there", "old", { "Content-Type": "text/plain", "KV-Metadata": "[1]" });
      const found = { status: 200, etag, content_type: "text/plain", metadata: [1], bytes: 3, ...never };
      const results = await batch(url, [
        { op: "get", key: "there" },
        { op: "head", key: "there" },
        { op: "get", key: "absent" },
        { op: "put", key: "a", value: "text", content_type: "text/css", metadata: { ü: 1 }, ttl: 60 },
        { op: "put", key_base64: "/w==", value_base64: "AP8=" },
        { op: "delete", key: "gone" },
        { op: "expire", key: "there", ttl: 60 },
        { op: "persist", key: "absent" },
        { op: "increment", key: "n", by: 5 },
      ]);
      expect(results).toEqual([
        { ...found, value: "old" },
        found,
        { status: 404, code: "not_found", detail: expect.any(String) },
        { status: 204, etag },
        { status: 204, etag },
        { status: 204 },
        { status: 200, ttl_ms: 60_000, expires_at: expect.any(String) },
        { status: 404, code: "not_found", detail: expect.any(String) },
        { status: 200, value: "5", etag, ...never },
      ]);
      const a = await send(`${url}/a`, {});
      expect([await a.text(), a.headers.get("Content-Type"), a.headers.get("KV-Metadata")]).toEqual([
        ...["text", "text/css", '{"\\u00fc":1}'],
      ]);
      expect([...(await (await send(`${url}/%FF`, {})).bytes())]).toEqual([0, 255]);
    });

    test("operations on one key happen in their order, also reads", async () => {
      const url = fresh();
      const results = await batch(url, [
        { op: "get", key: "k" },
        { op: "put", key: "k", value: "1" },
        { op: "increment", key: "k" },
        { op: "get", key: "k" },
        { op: "increment", key: "k", by: 10 },
        { op: "put", key: "k", value: "x", if_none_match: "*" },
        { op: "get", key: "k" },
        { op: "delete", key: "k" },
        { op: "head", key: "k" },
      ]);
      expect(results.map(({ status, value }) => [status, value])).toEqual([
        ...[[404], [204], [200, "2"], [200, "2"], [200, "12"], [412], [200, "12"], [204], [404]].map(([a, b]) => [
          a,
          b,
        ]),
      ]);
    });

    test("conditions hold as in single calls", async () => {
      const url = fresh();
      const [made] = await batch(url, [{ op: "put", key: "k", value: "1", if_none_match: "*" }]);
      const tag = made?.etag;
      const statuses = async (...operations: object[]) =>
        (
          await batch(
            url,
            operations.map((each) => ({ key: "k", ...each })),
          )
        ).map(({ status }) => status);
      expect(await statuses({ op: "get", if_none_match: tag }, { op: "get", if_match: '"x"' })).toEqual([304, 412]);
      expect(await statuses({ op: "put", value: "2", if_match: '"x"' }, { op: "delete", if_match: '"x"' })).toEqual([
        ...[412, 412],
      ]);
      expect(await statuses({ op: "expire", ttl: 5, if: "xx" }, { op: "expire", ttl: 5, if: "nx" })).toEqual([
        412, 200,
      ]);
      expect(
        await statuses({ op: "put", value: "2", if_match: tag }, { op: "put", value: "3", if_match: tag }),
      ).toEqual([...[204, 412]]);
      expect(await statuses({ op: "put", value: "4", keep_ttl: true }, { op: "get" })).toEqual([204, 200]);
    });

    test("what is wrong with one operation is its own answer, and the others happen", async () => {
      const url = fresh();
      const wrong: [object | string, number, string][] = [
        [{ op: "nothing", key: "a" }, 400, "invalid_operation"],
        [{ key: "a" }, 400, "invalid_operation"],
        ["get", 400, "invalid_operation"],
        [{ op: "get" }, 400, "invalid_key"],
        [{ op: "get", key: "" }, 400, "invalid_key"],
        [{ op: "get", key: ".." }, 400, "invalid_key"],
        [{ op: "get", key: "k".repeat(513) }, 400, "invalid_key"],
        [{ op: "get", key: "a", key_base64: "YQ==" }, 400, "invalid_key"],
        [{ op: "get", key_base64: "YQ" }, 400, "invalid_key"],
        [{ op: "get", key: "a", ttl: 1 }, 400, "invalid_operation"],
        [{ op: "put", key: "a" }, 400, "invalid_value"],
        [{ op: "put", key: "a", value: "", value_base64: "" }, 400, "invalid_value"],
        [{ op: "put", key: "a", value: "v", ttl: 0 }, 400, "invalid_ttl"],
        [{ op: "put", key: "a", value: "v", ttl: 1, keep_ttl: true }, 400, "invalid_ttl"],
        [{ op: "put", key: "a", value: "v", content_type: "a/b, c/d" }, 400, "invalid_content_type"],
        [{ op: "put", key: "a", value: "v", metadata: "x".repeat(2_000) }, 400, "invalid_metadata"],
        [{ op: "put", key: "a", value: "v", if_match: "x" }, 400, "invalid_precondition"],
        [{ op: "put", key: "a", value: "x".repeat(1024 * 1024 + 1) }, 413, "value_too_large"],
        [{ op: "expire", key: "a" }, 400, "invalid_ttl"],
        [{ op: "increment", key: "a", by: 0.5 }, 400, "invalid_operation"],
        [{ op: "increment", key: "a", min: 2, max: 1 }, 400, "invalid_increment"],
      ];
      const results = await batch(url, [...wrong.map(([operation]) => operation), { op: "put", key: "b", value: "v" }]);
      expect(results.map(({ status, code }) => [status, code])).toEqual([
        ...wrong.map(([, status, code]) => [status, code]),
        [204, undefined] as never,
      ]);
      expect(keysOf(await list(url))).toEqual(["b"]);
    });

    test("a document that is no batch is refused as a whole", async () => {
      const url = fresh();
      const put = { op: "put", key: "a", value: "v" };
      for (const [body, status, code] of [
        ["{", 400, "invalid_json"],
        ["[]", 400, "invalid_batch"],
        ['{"operations":{}}', 400, "invalid_batch"],
        ['{"operations":[]}', 400, "invalid_batch"],
        [json({ operations: [put], more: 1 }), 400, "invalid_batch"],
        [json({ operations: Array.from({ length: 1_001 }, () => put) }), 400, "invalid_batch"],
        [json({ operations: [{ ...put, value: "x".repeat(8 * 1024 * 1024) }] }), 413, "body_too_large"],
      ] as const) {
        expect(await refusal(url, { method: "POST", body })).toEqual([status, code]);
      }
      expect(await refusal(`${url}?a=1`, { method: "POST", body: json({ operations: [put] }) })).toEqual([
        ...[400, "invalid_parameter"],
      ]);
      expect(await list(url)).toEqual({ entries: [], cursor: null });
    });

    test("a thousand increments of one counter are a thousand", async () => {
      const url = fresh();
      const results = await batch(
        url,
        Array.from({ length: 1_000 }, () => ({ op: "increment", key: "n" })),
      );
      expect(results.map(({ value }) => value)).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i + 1)));
    });

    test("values that are too many for one answer are to be asked for again", async () => {
      const url = fresh();
      await put(url, "k", "x".repeat(1_000_000));
      const results = await batch(
        url,
        Array.from({ length: 10 }, () => ({ op: "get", key: "k" })),
      );
      expect(results.map(({ code }) => code)).toEqual([
        ...Array.from({ length: 8 }, () => undefined),
        ...(["answer_too_large", "answer_too_large"] as never[]),
      ]);
    });
  });

  test(`on ${name} a namespace takes GET, HEAD, POST and DELETE, and must be one`, async () => {
    const url = fresh();
    const answer = await send(url, { method: "PUT", body: "v" });
    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "GET, HEAD, DELETE, POST"]);
    expect(await refusal(`${base}/v1/kv/no%20namespace`)).toEqual([400, "invalid_namespace"]);
  });
}
