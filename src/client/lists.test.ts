// Lists and the deletion of a prefix, as the caller walks them.

import { describe, expect, test } from "bun:test";
import { createClient } from "./client.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";
import type { ListOptions } from "./types.ts";

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const BINARY = Uint8Array.of(0x62, 0xff, 0x2f);

async function setUp(keys: (string | Uint8Array)[]) {
  const server = modelServer({ clock: () => NOW_MS });
  const kv = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch });
  await Promise.all(keys.map((key) => kv.put(key, "v")));
  server.requests.length = 0;
  const keysOf = async (options?: ListOptions) => {
    const found: unknown[] = [];
    for await (const { key } of kv.list(options)) found.push(key);
    return found;
  };
  return { server, kv, keysOf };
}

const FRUIT = ["a", "a/1", "a/2", "b", "c/1"];

describe("a list", () => {
  test.each<[ListOptions | undefined, string[]]>([
    [undefined, FRUIT],
    [{ prefix: "a/" }, ["a/1", "a/2"]],
    [{ start: "a/2", end: "c" }, ["a/2", "b"]],
    [{ startAfter: "a/2" }, ["b", "c/1"]],
    [{ reverse: true }, FRUIT.toReversed()],
    [{ delimiter: "/", include: [] }, ["a", "b"]],
    [{ order: "any", pageSize: 2 }, FRUIT],
    [{ prefix: "none" }, []],
  ])("of %j", async (options, expected) => {
    const { keysOf } = await setUp(FRUIT);
    expect(await keysOf(options)).toEqual(expected);
  });

  test("is walked page by page, each as it is needed", async () => {
    const { kv, server, keysOf } = await setUp(FRUIT);
    expect(await keysOf({ pageSize: 2 })).toEqual(FRUIT);
    expect(server.requests.length).toBe(3);
    server.requests.length = 0;
    for await (const { key } of kv.list({ pageSize: 2 })) if (key === "a/1") break;
    expect(server.requests).toEqual([`GET /v1/kv/${NAMESPACE}?limit=2`]);
  });

  test("asks for what it is given", async () => {
    const { server, keysOf } = await setUp([]);
    await keysOf({ include: ["metadata", "value"], order: "any", consistency: "eventual", prefix: "ü&" });
    await keysOf({ prefix: BINARY, reverse: false });
    expect(server.requests.map((each) => each.split("?")[1])).toEqual([
      "prefix=%C3%BC%26&include=metadata%2Cvalue&order=any&consistency=eventual",
      "prefix=%62%ff%2f&reverse=false",
    ]);
  });

  test("has what is known about each key, and what it is asked to include", async () => {
    const { kv } = await setUp([]);
    const expiresAt = new Date(NOW_MS + 1_234);
    const etag = await kv.put("k", "value", { metadata: { a: 1 }, expiresAt });
    await kv.put(BINARY, BINARY, { contentType: "image/png" });
    const [plain] = (await kv.pages().next()).value?.entries ?? [];
    expect(plain).toEqual({
      ...{ key: BINARY, etag: expect.any(String), bytes: 3, contentType: "image/png", expiresAt: null },
    });
    const { value: page } = await kv.pages({ include: ["metadata", "value"] }).next();
    expect(page?.entries).toEqual([
      { ...plain, value: BINARY } as never,
      {
        ...{ key: "k", etag, bytes: 5, contentType: "text/plain; charset=utf-8", expiresAt, metadata: { a: 1 } },
        value: new TextEncoder().encode("value"),
      },
    ]);
  });

  test("gives common prefixes, and cursors to go on from", async () => {
    const { kv } = await setUp([...FRUIT, BINARY]);
    const pages = [];
    for await (const page of kv.pages({ delimiter: "/", pageSize: 2 })) pages.push(page);
    expect(pages.map(({ prefixes }) => prefixes)).toEqual([["a/"], [BINARY], ["c/"]]);
    expect(pages.map(({ cursor }) => typeof cursor)).toEqual(["string", "string", "object"]);
    const second = await kv.pages({ delimiter: "/", pageSize: 2, cursor: pages[0]?.cursor as string }).next();
    expect(second.value).toEqual(pages[1]);
    const foreign = kv.pages({ cursor: pages[0]?.cursor as string }).next();
    await expect(foreign).rejects.toMatchObject({ code: "invalid_cursor", status: 400 });
  });
});

describe("the deletion of a prefix", () => {
  const MANY = Array.from({ length: 8 }, (_, i) => `many/${i}`);

  /** In the place of a server whose steps end early. */
  const STEPS = [
    { deleted: 3, cursor: "a+b" },
    { deleted: 0, cursor: "c" },
    { deleted: 2, cursor: null },
  ];
  async function setUpSteps() {
    const { kv, server } = await setUp([]);
    server.intercept = () => Response.json(STEPS[server.requests.length - 1]);
    const asked = () => server.requests.map((each) => each.split("?")[1]);
    return { kv, asked };
  }

  test("deletes what begins so, and only counts in a dry run", async () => {
    const { kv, keysOf } = await setUp([...FRUIT, ...MANY]);
    let last = 0;
    for await (const { deleted } of kv.deletePrefix("", { dryRun: true })) last = deleted;
    expect(last).toBe(13);
    expect((await keysOf()).length).toBe(13);
    for await (const { deleted } of kv.deletePrefix("many/")) last = deleted;
    expect(last).toBe(8);
    expect(await keysOf()).toEqual(FRUIT);
  });

  test("tells after each step how far it is", async () => {
    const { kv, asked } = await setUpSteps();
    const steps = [];
    for await (const step of kv.deletePrefix("many/")) steps.push(step);
    expect(steps).toEqual([
      { deleted: 3, cursor: "a+b" },
      { deleted: 3, cursor: "c" },
      { deleted: 5, cursor: null },
    ]);
    expect(asked()).toEqual(["prefix=many%2F", "prefix=many%2F&cursor=a%2Bb", "prefix=many%2F&cursor=c"]);
  });

  test("stops where the caller stops, and goes on from a cursor", async () => {
    const { kv, asked } = await setUpSteps();
    for await (const _ of kv.deletePrefix("", { dryRun: true })) break;
    expect(asked()).toEqual(["prefix=&dry_run=true"]);
    for await (const _ of kv.deletePrefix("", { cursor: "x" }));
    expect(asked().slice(1)).toEqual(["prefix=&cursor=x", "prefix=&cursor=c"]);
  });

  test("stops at a signal", async () => {
    const { kv, asked } = await setUpSteps();
    const stop = new AbortController();
    const walk = async () => {
      for await (const _ of kv.deletePrefix("many/", { signal: stop.signal })) stop.abort();
    };
    await expect(walk()).rejects.toThrow("aborted");
    expect(asked().length).toBe(1);
  });
});
