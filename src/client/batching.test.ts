// Which calls travel together, and that none overtakes another on its key.

import { describe, expect, spyOn, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { createClient } from "./client.ts";
import { modelServer, NAMESPACE } from "./testing/server.ts";
import type { ClientOptions } from "./types.ts";

function setUp(options: Partial<ClientOptions> & Parameters<typeof modelServer>[0] = {}) {
  const server = modelServer(options);
  const kv = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch, ...options });
  /** What was asked for since the last look, without what all have in common. */
  const asked = () => server.requests.splice(0).map((each) => each.replace(`/v1/kv/${NAMESPACE}`, ""));
  return { server, kv, asked };
}
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("with a bound on requests", () => {
  test("calls wait while there are as many, and share the next one", async () => {
    const { kv, asked } = setUp({ maxRequests: 1 });
    const calls = [kv.put("first", "1")];
    await undefined;
    for (const i of range(5)) {
      calls.push(...range(10).map((j) => kv.put(`k${10 * i + j}`, `v${10 * i + j}`)));
      await undefined;
    }
    await Promise.all(calls);
    const [first, ...others] = asked();
    expect(first).toBe("PUT /first");
    // As many as there was time for, since this server answers within a few ticks.
    expect(others.length).toBeLessThanOrEqual(5);
    expect(others.every((each) => each === "POST ")).toBe(true);
    expect(await Promise.all(range(50).map((i) => kv.get(`k${i}`)))).toEqual(range(50).map((i) => `v${i}`));
  });

  test("those that can't share one go one after the other, and each in its order", async () => {
    const { kv, asked } = setUp({ maxRequests: 1, batching: false });
    const written = [kv.put("a", "1"), kv.put("b", "1"), kv.put("a", "2")];
    await Promise.all(written);
    expect(asked()).toEqual(["PUT /a", "PUT /b", "PUT /a"]);
    expect(await kv.get("a")).toBe("2");
  });

  test("one that is given up while it waits is not sent, and holds up no other", async () => {
    const { kv, asked } = setUp({ maxRequests: 1 });
    const stop = new AbortController();
    const first = kv.put("a", "1");
    await undefined;
    const given = kv.put("b", "1", { signal: stop.signal }).catch(({ name }) => name);
    const last = kv.put("c", "1");
    stop.abort();
    await Promise.all([first, last]);
    expect(await given).toBe("AbortError");
    expect(asked()).toEqual(["PUT /a", "PUT /c"]);
  });
});

describe("calls of one tick", () => {
  test("share a request, of at most 1,000 operations, and each is settled by itself", async () => {
    const { kv, asked } = setUp();
    const written = await Promise.all(range(1_000).map((i) => kv.put(`k${i}`, `v${i}`)));
    expect(new Set(written).size).toBe(1_000);
    expect(asked()).toEqual(["POST "]);
    expect(await Promise.all(range(1_000).map((i) => kv.get(`k${i}`)))).toEqual(range(1_000).map((i) => `v${i}`));
    expect(asked()).toEqual(["POST "]);
    await Promise.all(range(2_001).map((i) => kv.head(`k${i}`)));
    expect(asked()).toEqual(["POST ", "POST ", "HEAD /k2000"]);
  });

  test("of several kinds, good and bad, share one too", async () => {
    const { kv, asked } = setUp();
    const outcomes = await Promise.allSettled([
      kv.put("a", "1"),
      kv.get("a"),
      kv.put("b", "1", { ttl: -1 }),
      kv.increment("n"),
      kv.expire("a", { ttl: 1, if: "xx" }),
      kv.persist("absent"),
      kv.delete("a", { ifMatch: '"another"' }),
      kv.put("a", "2", { ifNoneMatch: "*" }),
    ]);
    expect(asked()).toEqual(["POST "]);
    expect(outcomes.map((each) => (each.status === "fulfilled" ? each.value : each.reason.code))).toEqual([
      expect.any(String),
      "1",
      "invalid_ttl",
      expect.objectContaining({ value: 1n }),
      null,
      false,
      false,
      null,
    ]);
  });

  test("do so even if each comes after a wait of its own", async () => {
    const { kv, asked } = setUp();
    await Promise.all(
      range(100).map(async (i) => {
        await undefined;
        return kv.get(`k${i}`);
      }),
    );
    expect(asked()).toEqual(["POST "]);
  });

  test("go alone where there is one, where batching is off, and where a value is large", async () => {
    const { kv, asked } = setUp();
    await kv.get("a");
    expect(asked()).toEqual(["GET /a"]);
    const large = new Uint8Array(64 * 1024 + 1);
    await Promise.all([kv.put("a", large), kv.put("b", "x".repeat(large.length)), kv.put("c", ""), kv.get("d")]);
    expect(asked().toSorted()).toEqual(["POST ", "PUT /a", "PUT /b"]);
    expect(await kv.get("a", { type: "bytes" })).toEqual(large);
    const { kv: plain, asked: askedPlainly } = setUp({ batching: false });
    await Promise.all([plain.get("a"), plain.get("b")]);
    expect(askedPlainly()).toEqual(["GET /a", "GET /b"]);
  });

  test("are split where they are more than 8 MiB together", async () => {
    const { kv, server, asked } = setUp();
    const sizes: number[] = [];
    server.intercept = async (request) => {
      sizes.push((await request.clone().arrayBuffer()).byteLength);
      return undefined;
    };
    // Two bytes in UTF-8, and not one more in JSON.
    const value = "ü".repeat(32 * 1024);
    await Promise.all(range(200).map((i) => kv.put(`k${i}`, value)));
    expect(asked()).toEqual(["POST ", "POST "]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(await kv.get("k199")).toBe(value);
  });
});

test("values that did not fit an answer are asked for again, without a wait and however often", async () => {
  const { kv, server, asked } = setUp({ retries: 0 });
  const KEYS = range(9).map((i) => `k${i}`);
  await Promise.all(KEYS.map((key) => kv.put(key, `value of ${key}`)));
  asked();
  let isFirst = true;
  server.intercept = async (request) => {
    // The first answer of all is whole, and is then cut down to two values.
    if (request.method !== "POST" || !isFirst) return undefined;
    isFirst = false;
    const answer = await server.answer(request);
    isFirst = true;
    const { results } = (await answer.json()) as { results: object[] };
    return Response.json({
      results: results.map((each, i) => (i < 2 ? each : { status: 413, code: "answer_too_large" })),
    });
  };
  expect(await Promise.all(KEYS.map((key) => kv.get(key)))).toEqual(KEYS.map((key) => `value of ${key}`));
  // Those that the server passed on to itself are in it twice.
  expect(asked().filter((each) => each.startsWith("GET")).length).toBe(1);
});

describe("where calls are not taken together", () => {
  test("by a server that has no batches, they go alone from then on", async () => {
    const { kv, server, asked } = setUp();
    server.intercept = ({ method }) =>
      method === "POST" ? Response.json({ code: "no_such_route" }, { status: 404 }) : undefined;
    expect(await Promise.all([kv.put("a", "1"), kv.get("a"), kv.put("a", "2"), kv.get("a"), kv.get("b")])).toEqual([
      expect.any(String),
      "1",
      expect.any(String),
      "2",
      null,
    ]);
    expect(asked()[0]).toBe("POST ");
    await Promise.all([kv.get("a"), kv.get("b")]);
    expect(asked()).not.toContain("POST ");
  });

  test("by a token for reading alone, they go alone", async () => {
    const { kv, server, asked } = setUp({ rights: ["read"] });
    const reader = createClient({
      ...{ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch, token: server.token },
    });
    expect(await Promise.all([reader.get("a"), reader.get("b")])).toEqual([null, null]);
    await expect(reader.put("a", "")).rejects.toMatchObject({ code: "forbidden", outcomeUnknown: false });
    asked();
    await expect(kv.get("a")).rejects.toMatchObject({ code: "unauthorized", status: 401 });
    expect((await Promise.allSettled([kv.get("a"), kv.get("b")])).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    expect(asked()).toEqual(["GET /a", "POST "]);
  });

  test("one wrong operation does not take the others with it", async () => {
    const { kv, server } = setUp();
    server.intercept = ({ method }) =>
      method === "POST" ? Response.json({ code: "invalid_operation" }, { status: 400 }) : undefined;
    const [good, bad] = await Promise.allSettled([kv.put("a", "1"), kv.put("b", "1", { ttl: 0 })]);
    expect(good.status).toBe("fulfilled");
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "invalid_ttl" } });
  });
});

describe("order", () => {
  const LARGE = "x".repeat(70_000);
  const calls = fc.array(
    fc.record({
      key: fc.constantFrom("a", "b"),
      op: fc.constantFrom("get", "put", "putLarge", "delete", "increment", "expire"),
      /** Ticks that pass before the next call. */
      ticks: fc.constantFrom(0, 0, 0, 1, 3),
    }),
    { minLength: 1, maxLength: 30 },
  );

  test("of calls on a key is that in which they were made, however they travel and however long that takes", async () => {
    await fc.assert(
      fc.asyncProperty(calls, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 5 }), async (script, delays) => {
        const { kv, server } = setUp();
        let requests = 0;
        server.intercept = async () => {
          for (let left = delays[requests++ % delays.length] as number; left > 0; left--) await sleep(0);
          return undefined;
        };
        const held = new Map<string, string>();
        const outcomes: Promise<unknown>[] = [];
        const expected: unknown[] = [];
        for (const [index, { key, op, ticks }] of script.entries()) {
          const current = held.get(key);
          if (op === "get") {
            outcomes.push(kv.get(key));
            expected.push(current ?? null);
          } else if (op === "put" || op === "putLarge") {
            const value = `${index}`.padEnd(op === "put" ? 0 : LARGE.length, "x");
            outcomes.push(kv.put(key, value).then(() => "put"));
            expected.push("put");
            held.set(key, value);
          } else if (op === "delete") {
            outcomes.push(kv.delete(key));
            expected.push(true);
            held.delete(key);
          } else if (op === "expire") {
            outcomes.push(kv.expire(key, { ttl: 60 }).then((ttl) => ttl !== null));
            expected.push(current !== undefined);
          } else {
            const isNumber = current === undefined || /^\d+$/.test(current);
            const value = BigInt(isNumber ? (current ?? 0) : 0) + 1n;
            outcomes.push(
              kv.increment(key).then(
                (counter) => counter.value,
                (error) => error.code,
              ),
            );
            expected.push(isNumber ? value : "not_a_number");
            if (isNumber) held.set(key, String(value));
          }
          for (let left = ticks; left > 0; left--) await sleep(0);
        }
        expect(await Promise.all(outcomes)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test("makes no read wait for another", async () => {
    const { kv, server } = setUp();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.intercept = () => promise;
    const first = kv.get("a");
    await sleep(0);
    server.intercept = undefined;
    expect(await kv.get("a")).toBe(null);
    resolve(undefined);
    expect(await first).toBe(null);
  });
});

describe("a caller that gives up", () => {
  test("takes back all calls that it gave the same signal, through one listener of it", async () => {
    const { kv, asked } = setUp();
    const gone = new AbortController();
    const add = spyOn(gone.signal, "addEventListener");
    const calls = range(50).map((i) => kv.get(`k${i}`, { signal: gone.signal }));
    gone.abort(new Error("gone"));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.every((outcome) => outcome.status === "rejected" && outcome.reason.message === "gone")).toBe(true);
    expect(add).toHaveBeenCalledTimes(1);
    expect(asked()).toEqual([]);
  });

  test("before its call is sent takes it back, and the others are not disturbed", async () => {
    const { kv, asked } = setUp();
    const gone = new AbortController();
    const [first, second] = [kv.put("a", "1", { signal: gone.signal }), kv.put("b", "1")];
    gone.abort();
    await expect(first).rejects.toThrow("aborted");
    expect(await second).toBeString();
    expect(asked()).toEqual(["PUT /b"]);
    await expect(kv.get("a", { signal: gone.signal })).rejects.toThrow("aborted");
    expect(asked()).toEqual([]);
    expect(await kv.get("a")).toBe(null);
  });

  test("while its call is under way is told at once, and the request ends once nobody waits for it", async () => {
    const { kv, server } = setUp();
    let signal: AbortSignal | undefined;
    server.intercept = (request) => {
      signal = request.signal;
      return new Promise(() => {});
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [kv.get("a", { signal: first.signal }), kv.get("b", { signal: second.signal })];
    await sleep(0);
    first.abort(new Error("first"));
    await expect(calls[0]).rejects.toThrow("first");
    expect(signal?.aborted).toBe(false);
    second.abort(new Error("second"));
    await expect(calls[1]).rejects.toThrow("second");
    expect(signal?.aborted).toBe(true);
    server.intercept = undefined;
    expect(await kv.get("a")).toBe(null);
  });
});
