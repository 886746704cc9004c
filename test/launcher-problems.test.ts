// What the cluster's command line can't do gets a sentence, and nothing is left running.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { requireSpace } from "../vitess/install/cache.ts";
import { launch, processesIn } from "./cluster-cli.ts";
import { PROBLEMS_DIR } from "./folders.ts";

const PORT_BASE = 18000;

const scratch = PROBLEMS_DIR;
beforeAll(() => mkdirSync(scratch, { recursive: true }));
afterAll(() => rmSync(scratch, { recursive: true }));

async function expectProblem(args: string[], sentence: RegExp, environment: Record<string, string> = {}) {
  const { code, output } = await launch(args, environment).exited;
  expect(output).toMatch(sentence);
  expect(output).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
}

test("a port that something else listens on", async () => {
  const server = createServer().listen(PORT_BASE + 5, "127.0.0.1");
  await once(server, "listening");
  await expectProblem(["up", "--data", join(scratch, "a"), "--port-base", String(PORT_BASE)], /Port 18005 .*in use/);
  server.close();
  expect(processesIn(scratch)).toEqual([]);
});

test("a data folder whose path is too long for a socket", () =>
  expectProblem(["up", "--data", join(scratch, "x".repeat(90))], /bytes too long for a Unix socket/));

test("a number of shards or tablets, or a port, that can't be", async () => {
  const data = ["--data", join(scratch, "b")];
  await expectProblem(["up", ...data, "--shards", "3"], /power of two/);
  await expectProblem(["up", ...data, "--shards", "many"], /--shards takes a whole number/);
  await expectProblem(["up", ...data, "--tablets", "0"], /1 to 9/);
  await expectProblem(["up", ...data, "--port-base", "70000"], /between 1024 and 65535/);
});

test("a build of Vitess that fails; no download goes on behind it", async () => {
  const [cache, bin] = [join(scratch, "cache"), join(scratch, "bin")];
  mkdirSync(bin);
  const go = '#!/bin/sh\n[ "$1" = version ] && exec echo go version go1.99.0 linux/amd64\necho no module >&2\nexit 1\n';
  writeFileSync(join(bin, "go"), go, { mode: 0o755 });
  const others = (process.env.PATH ?? "").split(":").filter((dir) => !existsSync(join(dir, "vtgate")));
  await expectProblem(["up", "--data", join(scratch, "c")], /go list failed:\nno module/, {
    PATH: [bin, ...others].join(":"),
    KV_CACHE_DIR: cache,
  });
  expect(processesIn(cache)).toEqual([]);
});

test("what is missing, where it can't be installed", () =>
  expectProblem(["up", "--data", join(scratch, "d")], /must be on PATH, in a recent version: only on Debian/, {
    PATH: "/nonexistent",
    KV_CACHE_DIR: join(scratch, "cache"),
  }));

test("too little disk space", () => {
  expect(() => requireSpace(scratch, 1e9)).toThrow(/MB free and 1000000000 MB are needed/);
});

test.skipIf(process.getuid?.() !== 0)("as root, a folder that the servers' user can't enter", async () => {
  const closed = join(scratch, "closed");
  mkdirSync(closed, { mode: 0o700 });
  await expectProblem(["up", "--data", join(closed, "data")], /can't enter/);
});
