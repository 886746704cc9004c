// What is taken in, until when, and what is dropped.

import { describe, expect, test } from "bun:test";
import { keyName } from "../store/store.ts";
import { codeOf, entry, key, make, settle } from "./fake-table.ts";

describe("admission", () => {
  test("the call too many, and the byte too many, are turned away at once; what is received counts", async () => {
    const { table, store } = make({ maxCalls: 2, maxBytes: 1000 });
    const first = store.put(key("a"), entry("x".repeat(500)));
    expect(() => store.put(key("b"), entry("x".repeat(600)))).toThrow("overloaded");
    const release = store.reserve(300);
    expect(() => store.reserve(300)).toThrow("overloaded");
    release();
    store.reserve(300)();
    const second = store.get(key("c"));
    expect(store.isFull()).toBe(true);
    expect(() => store.get(key("d"))).toThrow("overloaded");
    await settle();
    for (const { end } of table.sent) end();
    await Promise.all([first, second]);
    const after = store.get(key("e"));
    await settle();
    table.sent[2]?.end();
    expect(await after).toBe(null);
  });

  test("a deadline counts from the arrival and tells what is true: unsent, it did not happen; sent, it may have", async () => {
    const { table, store } = make({ deadlineMs: 100 });
    const sent = store.put(key("a"), entry("1"));
    await settle();
    const queued = store.put(key("b"), entry("2"));
    const read = store.get(key("c"));
    expect(await Promise.all([sent, queued, read].map(codeOf))).toEqual([
      "outcome_unknown",
      "unavailable",
      "unavailable",
    ]);
    table.sent[0]?.end();
    await settle();
    expect(table.sent.filter(({ name }) => name === "put").length).toBe(1);
  });

  test("a write that is only being decided has not happened", async () => {
    const { table, store } = make({ deadlineMs: 100 });
    const call = codeOf(store.persist(key("a")));
    await settle();
    expect(table.sent.map(({ name }) => name)).toEqual(["known"]);
    expect(await call).toBe("unavailable");
  });

  test("one that was answered as not done while its batch was being decided is not done then", async () => {
    const { table, store } = make({ deadlineMs: 150 });
    const blocker = store.persist(key("z"));
    await settle();
    const early = codeOf(store.put(key("a"), entry("early"), { ifNoneMatch: "*" }));
    await new Promise((resolve) => setTimeout(resolve, 80));
    const late = codeOf(store.put(key("b"), entry("late"), { ifNoneMatch: "*" }));
    await table.expectNext("known");
    await blocker;
    const known = table.sent.shift();
    expect(known?.keys).toEqual(["a", "b"]);
    expect(await early).toBe("unavailable");
    known?.end();
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["b"]]);
    await table.expectNext("create");
    expect(await late).toBe("done");
    expect(table.rows.has(keyName(key("a")))).toBe(false);
  });

  test("nor where the database has refused the statement that it was in", async () => {
    const { table, store } = make({ deadlineMs: 150 });
    const calls = ["a", "b"].map((name) => codeOf(store.put(key(name), entry("v"))));
    await settle();
    table.sent.shift()?.end("internal");
    await settle();
    const first = table.sent.shift();
    expect(await calls[1]).toBe("unavailable");
    first?.end();
    await settle();
    expect(table.sent).toEqual([]);
    expect(table.rows.has(keyName(key("b")))).toBe(false);
  });

  test.each(["internal", "unavailable", "overloaded"] as const)(
    "a write that may have happened is unknown, and not %s, when finding out fails",
    async (code) => {
      const { table, store } = make({ deadlineMs: 300 });
      store.put(key("a"), entry("v"));
      await table.expectNext("put");
      const call = codeOf(store.expire(key("a"), { afterMs: 5 }));
      await table.expectNext("known");
      table.sent.shift()?.end("outcome_unknown", true);
      while (table.sent.length === 0) await settle();
      table.sent.shift()?.end(code);
      const keepFailing = setInterval(() => table.sent.shift()?.end(code), 1);
      expect(await call).toBe("outcome_unknown");
      clearInterval(keepFailing);
    },
  );

  test("what was not sent when its caller left is dropped, and what was sent goes on", async () => {
    const { table, store } = make();
    const caller = new AbortController();
    const sent = store.put(key("a"), entry("1"), {}, caller.signal);
    await settle();
    const waiting = codeOf(store.put(key("b"), entry("2"), {}, caller.signal));
    caller.abort();
    await table.expectNext("put");
    expect(await sent).toEqual(expect.any(String));
    expect(await waiting).toBe("unavailable");
    expect(table.sent).toEqual([]);
  });
});
