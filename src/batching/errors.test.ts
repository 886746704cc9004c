// What batches make of errors and lost answers.

import { describe, expect, test } from "bun:test";
import type { Table } from "../database/table.ts";
import { keyName } from "../store/store.ts";
import { newRevision, newVersion, versionOf } from "../store/version.ts";
import { codeOf, entry, type FakeTable, key, make, NOW, type Stored, settle } from "./fake-table.ts";

describe("errors", () => {
  test("a statement that is refused is sent again in parts, and fails for one entry alone", async () => {
    const { table, store } = make();
    const good = store.put(key("good"), entry("v"));
    const bad = store.put(key("bad"), entry("v"));
    await settle();
    table.sent.shift()?.end("internal");
    await settle();
    expect(table.sent.map(({ keys }) => keys)).toEqual([["good"]]);
    await table.expectNext("put");
    expect(table.sent.map(({ keys }) => keys)).toEqual([["bad"]]);
    table.sent.shift()?.end("internal");
    expect(await good).toMatch(/^[0-9a-f]{20}$/);
    expect(await codeOf(bad)).toBe("internal");
  });

  test("what was surely not applied goes again, in its order and before what came later, to the shard of that time", async () => {
    let shard = "old";
    const at: string[] = [];
    let table: FakeTable;
    const tableAt = (name: string) => {
      at.push(name);
      return table as unknown as Table;
    };
    const made = make({}, { shardOf: () => shard, tableAt });
    table = made.table;
    const first = made.store.expire(key("a"), { afterMs: 1 });
    await settle();
    const second = made.store.put(key("a"), entry("v"));
    shard = "new";
    table.sent.shift()?.end("unavailable");
    while (table.sent.length === 0) await settle();
    await table.expectNext("known", "create");
    expect([await first, await second]).toEqual([{ outcome: "absent" }, expect.any(String)]);
    expect(new Set(at)).toEqual(new Set(["old", "new"]));
  });

  test("a lost answer to a blind PUT is looked for, and unknown where nothing shows it", async () => {
    const { table, store } = make();
    const lost = store.put(key("a"), entry("v"));
    await settle();
    table.sent.shift()?.end("outcome_unknown", true);
    await table.expectNext("look_back");
    expect(await lost).toEqual(expect.any(String));
    const never = codeOf(store.put(key("a"), entry("w")));
    await settle();
    table.sent.shift()?.end("outcome_unknown", false);
    await table.expectNext("look_back");
    expect(await never).toBe("outcome_unknown");
  });

  test.each([true, false])("a guarded change whose answer is lost happens once: applied %s", async (applied) => {
    const { table, store } = make();
    store.put(key("a"), entry("v"));
    await table.expectNext("put");
    const persist = store.expire(key("a"), { afterMs: 5 }, { if: "nx" });
    await table.expectNext("known");
    table.sent.shift()?.end("outcome_unknown", applied);
    while (table.sent.length === 0) await settle();
    await table.expectNext("known", ...(applied ? [] : ["touch"]));
    expect(await persist).toEqual({ outcome: "set", atMs: NOW + 5, ttlMs: 5 });
    expect(table.sent).toEqual([]);
  });

  test("an attempt that may still come is kept from it, before an answer says that nothing is changed", async () => {
    const { table, store } = make();
    store.put(key("a"), entry("v", { atMs: NOW + 10 }));
    await table.expectNext("put");
    const persist = store.expire(key("a"), { afterMs: 5 }, { if: "lt" });
    await table.expectNext("known");
    const late = table.sent.shift();
    const first = table.rows.get(keyName(key("a"))) as Stored;
    late?.end("outcome_unknown", false);
    while (table.sent.length === 0) await settle();
    table.clockMs = NOW + 8;
    await table.expectNext("known", "touch");
    expect(await persist).toEqual({ outcome: "condition_failed" });
    const after = table.rows.get(keyName(key("a"))) as Stored;
    expect(after).toMatchObject({ expiresAtMs: NOW + 10, value: "v" });
    expect(after.revision).not.toBe(first.revision);
    expect(versionOf(after.revision)).toBe(versionOf(first.revision));
  });

  test("a guarded change whose answer is lost, and whose row has been changed since, is unknown", async () => {
    const { table, store } = make();
    store.put(key("a"), entry("v"));
    await table.expectNext("put");
    const persist = codeOf(store.expire(key("a"), { afterMs: 5 }));
    await table.expectNext("known");
    table.sent.shift()?.end("outcome_unknown", true);
    table.rows.set(keyName(key("a")), { revision: newRevision(newVersion()), expiresAtMs: null, value: "theirs" });
    while (table.sent.length === 0) await settle();
    await table.expectNext("known");
    expect(await persist).toBe("outcome_unknown");
  });

  test.each([
    ["outcome_unknown", true, ["look_back"], "done"],
    ["outcome_unknown", false, ["look_back"], "outcome_unknown"],
    // It was stored and is then called not applied: the version of one's own is proof.
    ["unavailable", true, ["known"], "done"],
    ["unavailable", false, ["known", "create"], "done"],
  ] as const)("a create-only PUT that ends with %s, applied %s: %p", async (error, applied, statements, outcome) => {
    const { table, store } = make();
    const create = codeOf(store.put(key("a"), entry("v"), { ifNoneMatch: "*" }));
    await table.expectNext("known");
    table.sent.shift()?.end(error, applied);
    while (table.sent.length === 0) await settle();
    await table.expectNext(...statements);
    expect(await create).toBe(outcome);
  });
});
