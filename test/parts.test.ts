// Installing into the cache: once, whole or not at all, whoever else is at it; and which Go on PATH is taken.

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { install } from "../vitess/install/cache.ts";
import { goOnPath } from "../vitess/install/go.ts";

const cache = mkdtempSync(join(tmpdir(), "vitess-kv-cache-"));
const before = process.env.KV_CACHE_DIR;
const never = new AbortController().signal;
let name = "";
let installs = 0;

beforeAll(() => {
  chmodSync(cache, 0o755);
  process.env.KV_CACHE_DIR = cache;
});
beforeEach(() => {
  installs += 1;
  name = `part-${installs}`;
});
afterAll(() => {
  if (before === undefined) delete process.env.KV_CACHE_DIR;
  else process.env.KV_CACHE_DIR = before;
  rmSync(cache, { recursive: true });
});

/** An installer that takes two steps, with time for others to interfere. */
async function fill(partial: string) {
  writeFileSync(join(partial, "first"), String(process.pid));
  await sleep(100);
  writeFileSync(join(partial, "second"), "");
}

test("what is installed is not installed again", async () => {
  const dir = await install(name, "Make a part", 1, never, fill);
  expect(readdirSync(dir).toSorted()).toEqual(["first", "second"]);
  expect(await install(name, "Make a part", 1, never, () => Promise.reject(new Error("again")))).toBe(dir);
});

test("a half-finished install, and the lock of a process that is gone, are cleared away", async () => {
  mkdirSync(join(cache, `${name}.partial`));
  writeFileSync(join(cache, `${name}.partial`, "rubbish"), "");
  writeFileSync(join(cache, `${name}.lock`), "999999999");
  const dir = await install(name, "Make a part", 1, never, fill);
  expect(readdirSync(dir).toSorted()).toEqual(["first", "second"]);
});

test("an install that fails leaves nothing that looks installed", async () => {
  const failing = install(name, "Make a part", 1, never, async (partial) => {
    await fill(partial);
    throw new Error("no network");
  });
  await expect(failing).rejects.toThrow("no network");
  expect(existsSync(join(cache, name))).toBe(false);
  expect(readdirSync(await install(name, "Make a part", 1, never, fill)).length).toBe(2);
});

test("of two at once, one installs and the other waits for it", async () => {
  let fills = 0;
  const count = async (partial: string) => {
    fills += 1;
    await fill(partial);
  };
  const [first, second] = await Promise.all([
    install(name, "Make a part", 1, never, count),
    install(name, "Make a part", 1, never, count),
  ]);
  expect(first).toBe(second);
  expect(fills).toBe(1);
  expect(readFileSync(join(first, "first"), "utf8")).toBe(String(process.pid));
});

test.each([
  ["go1.26.2", true],
  ["go1.26.10", true],
  ["go1.27rc1", true],
  ["go2.0", true],
  ["go1.26", false],
  ["go1.26.1", false],
  ["go1.19.8", false],
  ["gccgo", false],
])("a Go on PATH that is %s: taken? %p", (version, taken) => {
  const bin = mkdtempSync(join(cache, "bin-"));
  const file = join(bin, "go");
  writeFileSync(file, `#!/bin/sh\necho go version ${version} linux/amd64\n`, { mode: 0o755 });
  const { PATH } = process.env;
  process.env.PATH = `${bin}:${PATH}`;
  try {
    expect(goOnPath()).toBe(taken ? file : undefined);
  } finally {
    process.env.PATH = PATH;
  }
});
