// What the page is served as, and what it makes of keys, values and states: the parts that need no browser.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { modelServer } from "../client/testing/server.ts";
import { durationText, hexDump, keyOfName, labelOf, nameOf, sizeText } from "./browser/bytes.ts";
import { draftOf, editedValue } from "./browser/keys/draft.ts";
import { type Level, NO_LEVEL, rowsOf, withPage } from "./browser/keys/levels.ts";
import { hashOf, placeOf, START } from "./browser/place.ts";
import { happenings } from "./browser/state/happenings.ts";
import { BUILT, buildPage } from "./build.ts";
import type { ShardState, StateDocument } from "./document.ts";

const SCRIPT_BYTES = 100_000;

describe("what is served", () => {
  test("is built from these files: else run `npm run page`", async () => {
    const built = await buildPage();
    expect(Object.keys(built).toSorted()).toEqual(["page.css", "page.js"]);
    for (const [name, text] of Object.entries(built)) {
      expect(readFileSync(join(BUILT, name), "utf8") === text).toBe(true);
    }
  });

  test("has a script under 100 kB compressed", () => {
    expect(gzipSync(readFileSync(join(BUILT, "page.js"))).length).toBeLessThan(SCRIPT_BYTES);
  });

  test("is open to all, its data is not, and nothing in it comes from elsewhere", async () => {
    const { fetch } = modelServer({ rights: ["read"] });
    const get = (path: string) => fetch(`http://kv${path}`);
    const page = await get("/dashboard");
    expect([page.status, page.headers.get("Content-Type")]).toEqual([200, "text/html; charset=utf-8"]);
    const policy = page.headers.get("Content-Security-Policy");
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"]) {
      expect(policy).toContain(part);
    }
    const addresses = [...(await page.text()).matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
    expect(addresses).toEqual(["data:,", "dashboard/page.css", "dashboard/page.js"]);
    for (const part of addresses.slice(1)) expect((await get(`/${part}`)).status).toBe(200);
    expect((await get("/dashboard/state")).status).toBe(401);
  });
});

describe("keys and values", () => {
  test.each([
    ["a/b", "a/b", "a%2Fb"],
    ["é\n", "é\\x0a", "%C3%A9%0A"],
    [new Uint8Array([0x41, 0xff]), "A\\xff", "%41%ff"],
    ["\ufeffx", "\ufeffx", "%EF%BB%BFx"],
  ] as const)("%p has a label, and a name that leads back to it", (key, label, name) => {
    expect([labelOf(key), nameOf(key)]).toEqual([label, name]);
    expect(keyOfName(name)).toEqual(key);
  });

  test("sizes, durations and bytes are put in few words", () => {
    expect([0, 999, 1_000, 123_456, 1_048_576, 5e15].map(sizeText)).toEqual([
      ...["0 B", "999 B", "1.0 kB", "123 kB", "1.0 MB", "5.0 PB"],
    ]);
    expect([0, 1, 61_000, 3_600_000, 90_061_000].map(durationText)).toEqual([
      "0 s",
      "1 s",
      "1 min 1 s",
      "1 h",
      "1 d 1 h",
    ]);
    expect(hexDump(new Uint8Array([0x61, 0]))).toBe(`00000000  61 00${" ".repeat(42)}  a.`);
  });

  const draft = (text: string | Uint8Array<ArrayBuffer>) =>
    draftOf({
      value: typeof text === "string" ? new TextEncoder().encode(text) : text,
      ...{ contentType: "text/plain", metadata: null },
    });

  test("a text that was not changed is saved as it was, or not edited as text", () => {
    for (const text of ["", "a\nb\n", "a\r\nb", "\ufeffa", "a\0b"]) {
      expect([draft(text).bytes, editedValue(draft(text))]).toEqual([undefined, text]);
    }
    for (const text of ["a\r\nb\nc", "a\rb"]) expect(draft(text).bytes).toEqual(new TextEncoder().encode(text));
    expect(draft(new Uint8Array([0xff])).bytes).toEqual(new Uint8Array([0xff]));
  });
});

test("a place is what its hash says", () => {
  const place = { ...START, namespace: "demo", delimiter: ":", prefix: "a&b#", key: "%2F%ff" };
  expect(placeOf(hashOf(place))).toEqual(place);
  expect(placeOf("")).toEqual(START);
});

describe("the tree", () => {
  const entry = (key: string) => ({ key, etag: '"1"', expiresAt: null, bytes: 1, contentType: "text/plain" });
  const level = (keys: string[], prefixes: string[], cursor: string | null = null) =>
    withPage(NO_LEVEL, { entries: keys.map(entry), prefixes, cursor });
  const shown = (levels: Record<string, Level>, ...open: string[]) =>
    rowsOf("", new Map(Object.entries(levels)), new Set(open)).map((row) =>
      row.kind === "more" ? `${row.depth} …` : `${row.depth} ${row.label}`,
    );

  test("has keys and folders in the order of their bytes, and what is open below them", () => {
    const levels = { "": level(["a", "b/", "z"], ["b/", "é/"]), "b%2F": level(["b/", "b/1"], [], "on") };
    expect(shown(levels)).toEqual(["1 a", "1 b/", "1 b/", "1 z", "1 é/"]);
    expect(shown(levels, "b%2F")).toEqual([
      ...["1 a", "1 b/", "2 (the prefix itself)", "2 1", "2 …", "1 b/", "1 z", "1 é/"],
    ]);
  });

  test("has a line for what is being loaded", () => {
    expect(shown({})).toEqual(["1 …"]);
    expect(shown({ "": level([], ["a/"]) }, "a%2F")).toEqual(["1 a/", "2 …"]);
  });
});

describe("what is happening to a shard", () => {
  const time = Date.parse("2026-11-27T12:00:00Z");
  const tablet = (type: "primary" | "replica", primarySince: string | null = null, serving = true) => ({
    ...{ alias: "zone1-1", type, serving, lagSeconds: null, primarySince },
  });
  const shard = (name: string, more: Partial<ShardState> = {}): ShardState => ({
    ...{ name, serves: true, tablets: [tablet("primary", "2026-11-26T12:00:00Z")], size: null },
    ...{ statementsPerSecond: null, sweep: null, migrations: [], ...more },
  });
  const said = (name: string, ...shards: ShardState[]) =>
    happenings(
      shards.find((each) => each.name === name) as ShardState,
      { time, shards, database: { answers: true, kind: "vitess" } } as StateDocument,
    ).map(({ text }) => text);

  test("is nothing on a quiet day", () => {
    expect(said("-80", shard("-80"), shard("80-"))).toEqual([]);
  });

  test("is a failover, until it has a primary, and for a while after", () => {
    expect(said("-", shard("-", { tablets: [tablet("primary", null, false), tablet("replica")] }))).toEqual([
      "It has no primary that serves: it is failing over, or needs help.",
    ]);
    expect(said("-", shard("-", { tablets: [tablet("primary", "2026-11-27T11:59:30Z")] }))).toEqual([
      "zone1-1 became its primary 30 s ago.",
    ]);
  });

  test("is a resharding, with how far each shard has come that takes over", () => {
    const size = (rows: number) => ({ size: { rows, bytes: 1 } });
    const shards = [
      shard("-80", size(1_000)),
      shard("80-", size(1_000)),
      shard("-40", { ...size(250), serves: false }),
      shard("40-80", { ...size(0), serves: false }),
    ];
    expect(said("-80", ...shards)).toEqual(["It is being resharded, to -40 and 40-80."]);
    expect(said("80-", ...shards)).toEqual([]);
    expect(said("-40", ...shards)).toEqual([
      "It does not serve yet, or not any more: it has about 250 of 500 rows (50%).",
    ]);
  });

  test("is a change of its schema", () => {
    expect(said("-", shard("-", { migrations: [{ status: "running", progress: 40 }] }))).toEqual([
      "Its schema is being changed: running, 40%.",
    ]);
  });
});
