// `kv export` and `kv import`: a copy that is exact, survives being cut off at any byte, and says where it stopped.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../src/client/index.ts";
import { NAMESPACE } from "../src/client/testing/server.ts";
import { openShell, type Shell } from "./shell.ts";

const NOW_MS = Date.now();
const ENTRIES = 2_500;

let shell: Shell;
let folder: string;
beforeEach(() => {
  shell = openShell({ clock: () => NOW_MS });
  folder = mkdtempSync(join(tmpdir(), "vitess-kv-export-"));
});
afterEach(async () => {
  await shell.stop();
  rmSync(folder, { recursive: true });
});

const clientOf = ({ server }: Shell) =>
  createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: server.fetch });

async function fill(entries: number) {
  const kv = clientOf(shell);
  await Promise.all(
    Array.from({ length: entries }, (_, i) => kv.put(`many/${String(i).padStart(5, "0")}`, `value ${i}`)),
  );
}

/** What a store has, but for what it makes itself. */
async function contentOf(from: Shell) {
  const found = [];
  for await (const { etag: _, ...entry } of clientOf(from).list({ include: ["metadata", "value"], pageSize: 1_000 })) {
    found.push(entry);
  }
  return found;
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("everything of an entry goes through, exactly", async () => {
  const kv = clientOf(shell);
  await Promise.all([
    kv.put("text", "line\nline\u2028\uFEFF", { metadata: { ü: [1] }, expiresAt: new Date(NOW_MS + 86_399_123) }),
    kv.put("html", "<p>", { contentType: "text/html" }),
    kv.put("empty", ""),
    kv.put("large", "x".repeat(100_000)),
    kv.put(Uint8Array.of(0xff, 0x0a), Uint8Array.of(0, 0xff, 0x0a)),
  ]);
  const exported = await shell.kv(["export", "test"]);
  expect(exported).toMatchObject({ code: 0, told: "Exported 5 entries.\n" });
  expect(linesOf(exported.out).at(-1)).toEqual({ cursor: null });
  const other = openShell({ clock: () => NOW_MS });
  const imported = await other.kv(["import", "test"], { input: exported.bytes });
  expect(imported).toMatchObject({ code: 0, out: "", told: "Imported 5 entries.\n" });
  expect(await contentOf(other)).toEqual(await contentOf(shell));
  await other.stop();
});

test("a prefix is exported, through few requests, and its lines are what is documented", async () => {
  await fill(ENTRIES);
  await clientOf(shell).put("other", "x");
  shell.server.requests.length = 0;
  const { out } = await shell.kv(["export", "test/many/"]);
  expect(shell.server.requests.length).toBe(3);
  const lines = linesOf(out);
  expect(lines[0]).toEqual({
    ...{ key: "many/00000", value: "value 0", content_type: "text/plain; charset=utf-8", expires_at: null },
  });
  expect(lines.filter((line) => "key" in line).length).toBe(ENTRIES);
  expect(lines.filter((line) => "cursor" in line).length).toBe(3);
});

describe("an export that was cut off", () => {
  test("goes on from a cursor of its own", async () => {
    await fill(ENTRIES);
    const whole = (await shell.kv(["export", "test"])).out;
    const { cursor } = linesOf(whole).find((line) => "cursor" in line);
    const from = whole.indexOf(`{"cursor":"${cursor}"}\n`) + `{"cursor":"${cursor}"}\n`.length;
    expect((await shell.kv(["export", "test", "--cursor", cursor])).out).toBe(whole.slice(from));
    expect(await shell.kv(["export", "test/other", "--cursor", cursor])).toMatchObject({
      ...{ code: 3, out: "", told: expect.stringContaining("invalid_cursor") },
    });
  });

  test("is made whole by --resume, wherever it was cut", async () => {
    await fill(ENTRIES);
    const file = join(folder, "dump.ndjson");
    const resume = () => shell.kv(["export", "test", "--resume", file]);
    expect(await resume()).toMatchObject({ code: 0, out: "", told: `Exported ${ENTRIES} entries.\n` });
    const whole = readFileSync(file, "utf8");
    const second = whole.indexOf('{"cursor"', whole.indexOf('{"cursor"') + 1);
    const cuts = [0, 1, 500, second - 1, second + 5, whole.indexOf("\n", second), whole.indexOf("\n", second) + 1];
    for (const length of [...cuts, whole.length - 1]) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      expect((await resume()).code).toBe(0);
      expect(readFileSync(file, "utf8") === whole).toBe(true);
    }
    expect(await resume()).toMatchObject({ code: 0, told: "That export is complete.\n" });
  });

  test("by the store says where to go on", async () => {
    await fill(ENTRIES);
    let pages = 0;
    shell.server.intercept = ({ method }) => {
      if (method === "GET") pages += 1;
      return pages > 2 ? Response.json({ status: 403, code: "forbidden", detail: "?" }, { status: 403 }) : undefined;
    };
    const { code, out, told } = await shell.kv(["export", "test"]);
    expect(code).toBe(3);
    const { cursor } = linesOf(out).at(-1);
    expect(told).toContain("Exported 2000 entries so far");
    expect(told).toContain(`--cursor ${cursor}`);
  });

  test("says so when it is imported, and what it holds is there", async () => {
    await fill(ENTRIES);
    const { out } = await shell.kv(["export", "test"]);
    const other = openShell({ clock: () => NOW_MS });
    for (const length of [out.indexOf('{"cursor"') + 100, out.length - 5]) {
      const { code, told } = await other.kv(["import", "test"], { input: out.slice(0, length) });
      expect(code).toBe(2);
      expect(told).toContain("cut off");
      // The last one that it has seen.
      const { cursor } =
        linesOf(out.slice(0, out.lastIndexOf("\n", length))).findLast((line) => "cursor" in line) ?? {};
      expect(/'kv export --cursor (\S+)'/.exec(told)?.[1]).toBe(cursor);
    }
    expect(await contentOf(other)).toEqual(await contentOf(shell));
    await other.stop();
  });
});

describe("an import", () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => JSON.stringify({ key: `k${i}`, value: `v${i}` })).join("\n");

  test("takes what was written by hand, and travels in batches", async () => {
    const input = `${lines(3_000)}\n\n{"key":"last","value":"x","expires_at":null}`;
    expect(await shell.kv(["import", "test"], { input })).toMatchObject({ code: 0, told: "Imported 3001 entries.\n" });
    expect(await clientOf(shell).get("k2999")).toBe("v2999");
    expect(shell.server.requests.length).toBeLessThan(10);
  });

  test("of the same key sets it in the order of the lines", async () => {
    const input = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ key: "k", value: `${i}` })).join("\n");
    await shell.kv(["import", "test"], { input });
    expect(await clientOf(shell).get("k")).toBe("2999");
  });

  test("can be run again, and leaves alone what is there if that is asked", async () => {
    const kv = clientOf(shell);
    await kv.put("k1", "newer");
    const file = join(folder, "lines");
    writeFileSync(file, lines(3));
    const kept = await shell.kv(["import", "test", file, "--keep-existing", "--json"]);
    expect(JSON.parse(kept.out)).toEqual({ imported: 2, kept: 1 });
    expect(await kv.get("k1")).toBe("newer");
    for (const _ of [1, 2]) expect(await shell.kv(["import", "test", file])).toMatchObject({ code: 0 });
    expect(await kv.get("k1")).toBe("v1");
  });

  test.each([
    ["{", "not JSON"],
    ["[]", "not a JSON object"],
    ['{"key":"secret"}', "one of value"],
    ['{"value":"secret"}', "one of key"],
    ['{"key":"secret","key_base64":"AA==","value":""}', "one of key"],
    ['{"key":"secret","value_base64":"?"}', "not base64"],
    ['{"key":"secret","value":"","ttl":5}', "a field that an entry does not have"],
    ['{"key":"secret","value":"","expires_at":"soon"}', "expires_at"],
    ['{"key":"secret","value":"","expires_at":5}', "expires_at"],
    ['{"key":"secret","value":"","content_type":"\u00ff"}', "invalid_content_type"],
    [Buffer.from([0xff]), "not JSON in UTF-8"],
    ['{"key":"..","value":"secret"}', "No URL can name"],
  ])("stops at the line %s, and says so without quoting it", async (line, why) => {
    const input = Buffer.concat([Buffer.from(`${lines(2)}\n`), Buffer.from(line), Buffer.from(`\n${lines(4)}\n`)]);
    const { code, told } = await shell.kv(["import", "test"], { input });
    expect(code).toBe(2);
    expect(told).toContain("Line 3:");
    expect(told).toContain(why);
    expect(told).toContain("--from-line 3");
    expect(told).not.toContain("secret");
    expect(await clientOf(shell).get("k1")).toBe("v1");
  });

  test("that the store ends says at which line, and goes on from there", async () => {
    const file = join(folder, "lines");
    writeFileSync(file, lines(5_000));
    let requests = 0;
    shell.server.intercept = () => {
      requests += 1;
      return requests > 3
        ? Response.json({ status: 401, code: "unauthorized", detail: "?" }, { status: 401 })
        : undefined;
    };
    const { code, told } = await shell.kv(["import", "test", file]);
    expect(code).toBe(3);
    const line = /--from-line (\d+)/.exec(told)?.[1] ?? "";
    expect(Number(line)).toBeWithin(2, 5_001);
    const kv = clientOf(shell);
    shell.server.intercept = undefined;
    expect(await kv.get(`k${Number(line) - 2}`)).not.toBe(null);
    const { told: rest } = await shell.kv(["import", "test", file, "--from-line", line]);
    expect(rest).toBe(`Imported ${5_000 - Number(line) + 1} entries.\n`);
    expect((await contentOf(shell)).length).toBe(5_000);
  });

  test("sets again what may have been set", async () => {
    let lost = 0;
    shell.server.intercept = async (request) => {
      if (lost++ > 0) return undefined;
      await shell.server.answer(request);
      return Response.json({ status: 503, code: "outcome_unknown", detail: "?" }, { status: 503 });
    };
    expect(await shell.kv(["import", "test"], { input: lines(20) })).toMatchObject({ code: 0 });
    expect((await contentOf(shell)).length).toBe(20);
  });
});
