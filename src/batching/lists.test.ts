// Listings over shards that are split and merged between their pages, and within them.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { KEY_SPACE_END, type Shard, wholeMap } from "../database/shards.ts";
import type { EntryInfo, EntryKey, ListQuery } from "../store/store.ts";
import { pageOf, type Scans } from "./lists.ts";

const MAPS = [
  ["-"],
  ["-80", "80-"],
  ["-40", "40-80", "80-"],
  ["-80", "80-c0", "c0-"],
  ["-20", "20-60", "60-a0", "a0-"],
];
const maps = MAPS.map((names) => wholeMap(names) as Shard[]);

interface Row {
  /** Where its hash puts it, in 256ths of the range. */
  place: number;
  state: "live" | "expired" | "deleted";
}

const rowOf = fc.record({
  place: fc.integer({ min: 0, max: 255 }),
  state: fc.constantFrom("live", "live", "live", "expired", "deleted") as fc.Arbitrary<Row["state"]>,
});
const tables = fc.dictionary(fc.stringMatching(/^[abc]{1,4}$/), rowOf, { maxKeys: 60 });

/** Of a store whose map is another one at each of these turns; one without a map refuses once. */
class Fake implements Scans {
  private turn = 0;
  private map: readonly Shard[] = maps[0] as Shard[];
  largestScan = 0;

  private readonly turns: (number | null)[];

  constructor(
    private readonly table: Record<string, Row>,
    turns: (number | null)[],
  ) {
    this.turns = [...turns];
  }

  private next(): number | null | undefined {
    const at = this.turn++ % this.turns.length;
    const index = this.turns[at];
    if (index === null) this.turns[at] = 0;
    return index;
  }

  shards = () => {
    const index = this.next();
    if (typeof index === "number") this.map = maps[index] as Shard[];
    return this.map;
  };
  idOf = (key: EntryKey) => (BigInt((this.table[key.toString()] as Row).place) * KEY_SPACE_END) / 256n;
  head = async () => null;
  scan: Scans["scan"] = async (name, { start, end, reverse, limit }) => {
    if (this.next() === null) return null;
    const shard = this.map.find((each) => each.name === name);
    if (!shard) return null;
    this.largestScan = Math.max(this.largestScan, limit);
    const keys = Object.keys(this.table)
      .map((text) => Buffer.from(text) as unknown as EntryKey)
      .filter((key) => Buffer.compare(start, key) <= 0 && Buffer.compare(key, end) < 0)
      .filter((key) => this.idOf(key) >= shard.start && this.idOf(key) < shard.end)
      .toSorted(Buffer.compare);
    if (reverse) keys.reverse();
    return keys.slice(0, limit).map((key) => {
      const { state } = this.table[key.toString()] as Row;
      return {
        key,
        found: state === "live" ? ({ valueBytes: 1 } as EntryInfo) : state === "expired" ? "expired" : null,
      };
    });
  };
}

async function listed(scans: Scans, query: Omit<ListQuery, "rest">): Promise<string[]> {
  const keys: string[] = [];
  let rest: ListQuery["rest"];
  do {
    const page = await pageOf(scans, { ...query, rest });
    expect(page.entries.length).toBeLessThanOrEqual(Math.min(query.limit, query.valueBytes ?? Infinity));
    keys.push(...page.entries.map(({ key }) => key.toString()));
    rest = page.rest ?? undefined;
  } while (rest);
  return keys;
}

const cases = fc.record({
  table: tables,
  turns: fc.array(fc.option(fc.nat(maps.length - 1), { freq: 5 }), { minLength: 1, maxLength: 12 }),
  limit: fc.integer({ min: 1, max: 20 }),
  valueBytes: fc.constantFrom(undefined, 1, 7),
  start: fc.constantFrom("", "b", "bb"),
  end: fc.constantFrom("c", "bc", "z"),
});

const expected = (table: Record<string, Row>, start: string, end: string) =>
  Object.keys(table)
    .filter((key) => table[key]?.state === "live" && start <= key && key < end)
    .toSorted();

describe("a listing", () => {
  test.each([false, true])("in the order of keys has each key once, reversed: %p", async (reverse) => {
    const property = fc.asyncProperty(cases, async ({ table, turns, start, end, ...more }) => {
      const query = { start: Buffer.from(start), end: Buffer.from(end), order: "key", reverse, ...more } as const;
      const keys = expected(table, start, end);
      expect(await listed(new Fake(table, turns), query)).toEqual(reverse ? keys.toReversed() : keys);
    });
    await fc.assert(property, { numRuns: 500 });
  });

  test("by shards has each key once", async () => {
    const property = fc.asyncProperty(cases, async ({ table, turns, start, end, ...more }) => {
      const query = {
        start: Buffer.from(start),
        end: Buffer.from(end),
        order: "any",
        reverse: false,
        ...more,
      } as const;
      const keys = await listed(new Fake(table, turns), query);
      expect(keys.toSorted()).toEqual(expected(table, start, end));
    });
    await fc.assert(property, { numRuns: 500 });
  });

  test("asks each of many shards for little more than its share", async () => {
    const table = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`k${i}`, { place: i, state: "live" }]));
    const scans = new Fake(table as Record<string, Row>, [4]);
    const query = { start: Buffer.from("k"), end: Buffer.from("l"), order: "key", reverse: false, limit: 100 } as const;
    expect((await pageOf(scans, query)).entries).toHaveLength(100);
    expect(scans.largestScan).toBeLessThan(50);
  });

  test("does not take another's rest", async () => {
    const query = { start: Buffer.from("a"), end: Buffer.from("b"), reverse: false, limit: 1 };
    const scans = new Fake({}, [0]);
    await expect(pageOf(scans, { ...query, order: "key", rest: { from: 0n, parts: [] } })).rejects.toThrow(RangeError);
    await expect(pageOf(scans, { ...query, order: "any", rest: { bound: Buffer.of() } })).rejects.toThrow(RangeError);
  });
});
