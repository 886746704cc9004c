import { describe, expect, test } from "bun:test";
import { shardAt, wholeMap } from "./shards.ts";

describe("the map of shards", () => {
  test("is taken when it leaves nothing out and nothing twice", () => {
    const names = (shards: string[]) => wholeMap(shards)?.map(({ name }) => name);
    expect(names(["80-", "-40", "40-80"])).toEqual(["-40", "40-80", "80-"]);
    expect(names(["0"])).toEqual(["0"]);
    expect(names(["-"])).toEqual(["-"]);
    expect(names([])).toBeUndefined();
    expect(names(["-40", "80-"])).toBeUndefined();
    expect(names(["-40", "40-80"])).toBeUndefined();
    expect(names(["40-80", "80-"])).toBeUndefined();
    expect(names(["-80", "80-", "80-c0", "c0-"])).toBeUndefined();
  });

  test("finds the shard of each end of each range", () => {
    const bound = (n: number) => (n % 256 === 0 ? "" : n.toString(16).padStart(2, "0"));
    const names = Array.from({ length: 256 }, (_, n) => `${bound(n)}-${bound(n + 1)}`);
    const shards = wholeMap(names) ?? [];
    expect(shards.length).toBe(256);
    for (const shard of shards) {
      for (const id of [shard.start, shard.end - 1n]) expect(shardAt(shards, id)).toBe(shard);
    }
  });
});
