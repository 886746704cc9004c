// What the contract says of batches.

import { describe, expect, test } from "bun:test";
import { keysOf, namespacesOf, type Send } from "./namespace.ts";
import { json } from "./step.ts";

type Result = { status: number; code?: string } & Record<string, unknown>;

export function describeBatches(name: string, base: string, unchecked: Send) {
  const { send, fresh, put, list, refusal } = namespacesOf(base, unchecked);

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
}
