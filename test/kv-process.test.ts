// How commands end when somebody ends them, what is printed of many keys, and what long work tells.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { progressText, startProgress } from "../src/cli/progress.ts";
import { ratesBetween, sampleOf } from "../src/cli/samples.ts";
import { createClient } from "../src/client/index.ts";
import { NAMESPACE } from "../src/client/testing/server.ts";
import { openShell, type Shell } from "./shell.ts";

/** Every write to it fails as on a full disk. */
const FULL = "/dev/full";

let shell: Shell;
beforeEach(() => {
  shell = openShell();
});
afterEach(() => shell.stop());

async function fill(...keys: (string | Uint8Array)[]) {
  const kv = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: shell.server.fetch });
  await Promise.all(keys.map((key) => kv.put(key, "v")));
}
const FRUIT = ["a", "a/1", "a/2", "b", "c/1"];
const range = (count: number, name: string) => Array.from({ length: count }, (_, i) => `${name}${i}`);

describe("kv list", () => {
  test.each([
    [["test"], FRUIT],
    [["test/a/"], ["a/1", "a/2"]],
    [
      ["test", "--reverse", "--limit", "2"],
      ["c/1", "b"],
    ],
    [
      ["test", "--start", "a/2", "--end", "c"],
      ["a/2", "b"],
    ],
    [["test", "--start-after", "b"], ["c/1"]],
    [
      ["test", "--delimiter", "/"],
      ["a", "a/", "b", "c/"],
    ],
    [["test", "--any-order", "--eventual"], FRUIT],
    [["test/none"], []],
  ])("%j", async (args, expected) => {
    await fill(...FRUIT);
    expect(await shell.kv(["list", ...args])).toMatchObject({
      code: 0,
      told: "",
      out: expected.map((key) => `${key}\n`).join(""),
    });
  });

  test("prints keys of any bytes so that a program can read them", async () => {
    await fill("line\nline", Uint8Array.of(0xff));
    expect((await shell.kv(["list", "test", "--null"])).bytes).toEqual(Buffer.from("line\nline\0\xff\0", "latin1"));
    const documents = (await shell.kv(["list", "test", "--json", "--values"])).out.trimEnd().split("\n");
    expect(documents.map((line) => JSON.parse(line))).toMatchObject([
      { key: "line\nline", value: "v", bytes: 1, etag: expect.any(String), expires_at: null },
      { key_base64: "/w==" },
    ]);
  });
});

test("kv delete --prefix deletes, and before that counts", async () => {
  await fill(...FRUIT, ...range(7, "many/"));
  const count = await shell.kv(["delete", "test/many/", "--prefix", "--dry-run"]);
  expect(count).toMatchObject({ code: 0, out: "", told: "7 keys begin so.\n" });
  expect(await shell.kv(["delete", "test/many/", "--prefix"])).toMatchObject({ code: 0, told: "Deleted 7 keys.\n" });
  expect((await shell.kv(["list", "test"])).out).toBe(`${FRUIT.join("\n")}\n`);
  expect((await shell.kv(["delete", "test/", "--prefix", "--json"])).out).toBe('{"deleted":5}\n');
});

test.each([["list"], ["export"]])("a reader that goes away ends kv %s without a word", async (command) => {
  await fill(...range(3_000, "x".repeat(300)));
  const { process, ended } = shell.start([command, "test"]);
  await once(process.stdout as NonNullable<typeof process.stdout>, "data");
  process.stdout?.destroy();
  expect(await ended).toMatchObject({ code: 0, told: "" });
});

test.skipIf(!existsSync(FULL)).each([
  [["list", "test"], "The output can't be written: ENOSPC.\n"],
  [["get", "test/a"], "The output can't be written: ENOSPC.\n"],
  [["export", "test"], "Exported 0 entries so far; run it again.\nThe output can't be written: ENOSPC.\n"],
])("kv %j does not succeed where its output finds no space", async (args, told) => {
  await fill("a");
  const full = openSync(FULL, "w");
  const ended = await shell.start(args, {}, full).ended;
  closeSync(full);
  expect(ended).toMatchObject({ code: 2, told });
});

describe("Ctrl-C", () => {
  test.each([[["get", "test/a"]], [["list", "test"]], [["watch-stats"]]])(
    "ends kv %j while the store does not answer",
    async (args) => {
      const asked = new Promise<void>((resolve) => {
        shell.server.intercept = () => {
          resolve();
          return new Promise(() => {});
        };
      });
      const { process, ended } = shell.start(args);
      await asked;
      process.kill("SIGINT");
      expect(await ended).toMatchObject({ code: 130, out: "", told: "" });
    },
  );

  test("ends a command that waits for its input", async () => {
    const { process, ended } = shell.start(["import", "test"]);
    process.stdin?.write('{"key":"a","value":"1"}\n');
    // Until it listens.
    await sleep(500);
    process.kill("SIGTERM");
    const { code, told } = await ended;
    expect(code).toBe(130);
    expect(told).toContain("--from-line");
  });

  test("ends an export with where to go on", async () => {
    await fill(...range(1_500, "k"));
    let pages = 0;
    const stuck = new Promise<void>((resolve) => {
      shell.server.intercept = () => {
        pages += 1;
        if (pages === 1) return undefined;
        resolve();
        return new Promise(() => {});
      };
    });
    const { process, ended } = shell.start(["export", "test"]);
    await stuck;
    process.kill("SIGINT");
    const { code, out, told } = await ended;
    expect(code).toBe(130);
    const cursor = JSON.parse(out.trimEnd().split("\n").at(-1) as string).cursor;
    expect(told).toContain("Exported 1000 entries so far");
    expect(told).toContain(`--cursor ${cursor} if all has arrived`);
  });

  test("ends an import with where to go on, in its file and in the export", async () => {
    const lines = range(4_000, "k").map((key, i) => `{"key":"${key}","value":"${i}"}\n`);
    // As an export has them, after each page.
    for (let at = 1_000; at <= 4_000; at += 1_001) lines.splice(at, 0, `{"cursor":"cursor-${at}"}\n`);
    let requests = 0;
    const stuck = new Promise<void>((resolve) => {
      shell.server.intercept = () => {
        requests += 1;
        // The third and those after it.
        if (requests <= 2) return undefined;
        resolve();
        return new Promise(() => {});
      };
    });
    const { process, ended } = shell.start(["import", "test"]);
    process.stdin?.write(lines.join(""));
    await stuck;
    // Until the first two are answered; where that takes longer, the import says less.
    await sleep(500);
    process.kill("SIGINT");
    const { code, told } = await ended;
    expect(code).toBe(130);
    const [, line, cursor] = /'kv import --from-line (\d+)'(?: or 'kv export --cursor (\S+)')?/.exec(told) ?? [];
    expect(Number(line)).toBeWithin(1, 1_003);
    expect(cursor).toBe(Number(line) > 1_001 ? "cursor-1000" : undefined);
    shell.server.intercept = undefined;
    const kv = createClient({ url: "http://kv.test", namespace: NAMESPACE, fetch: shell.server.fetch });
    const before = range(Math.min(1_000, Number(line) - 1), "k");
    expect(await Promise.all(before.map((key) => kv.get(key)))).toEqual(before.map((_, i) => `${i}`));
  });
});

describe("progress", () => {
  test("has the rate, and the time that remains where the total is known", () => {
    expect(progressText({ entries: 0, bytes: 0 }, {}, 0)).toBe("0");
    expect(progressText({ entries: 1_500, bytes: 0 }, {}, 10)).toBe("1,500, 150/s");
    expect(progressText({ entries: 500, bytes: 0 }, { entries: 2_000 }, 10)).toBe(
      "500 of 2,000, 50/s, 25 %, 0:30 left",
    );
    expect(progressText({ entries: 10, bytes: 25e6 }, { bytes: 1e9 }, 100)).toBe("10, 0/s, 25.0 MB, 2 %, 1:05:00 left");
    expect(progressText({ entries: 3, bytes: 0 }, { entries: 2 }, 1)).toContain("100 %, 0:00 left");
  });

  test("is drawn on a terminal alone, now and then", () => {
    for (const isTTY of [true, false]) {
      const written: string[] = [];
      let ms = 0;
      const stream = { isTTY, write: (text: string) => written.push(text) > 0 };
      const progress = startProgress("done", { stream, now: () => ms });
      for (ms = 0; ms < 1_000; ms += 10) progress.add(1);
      progress.end();
      expect(written.length).toBe(isTTY ? 6 : 0);
      if (isTTY) expect(written.at(-1)).toBe("\r\u001b[K");
    }
  });
});

describe("kv watch-stats", () => {
  test("prints rates once a second", async () => {
    const { code, out } = await shell.kv(["watch-stats", "--count", "2", "--json", "--match", "calls"]);
    expect(code).toBe(0);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.length).toBe(2);
    expect(Object.keys(lines[0])).toEqual(["time", 'kv_calls_total{op="get"}/s']);
    // It asks once each time.
    expect(lines[1]['kv_calls_total{op="get"}/s']).toBeWithin(0.1, 1.1);
  });

  test("takes counters for what grows, and a server that began again for one that counts from zero", () => {
    const sample = (atMs: number, ...values: number[]) =>
      sampleOf(
        `# HELP a x\n# TYPE a counter\na{l="x y"} ${values[0]}\n# TYPE g gauge\ng ${values[1]}\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 4 123\nh_count ${values[2]}\n`,
        atMs,
      );
    expect(ratesBetween(sample(0, 10, 1, 5), sample(2_000, 30, 7, 1))).toEqual([
      { series: 'a{l="x y"}', value: 10, isRate: true },
      { series: "g", value: 7, isRate: false },
      { series: "h_sum", value: 0, isRate: true },
      { series: "h_count", value: 0.5, isRate: true },
    ]);
  });
});
