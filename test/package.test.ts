// What `npm run build` makes: a package that Node runs and TypeScript reads, as somebody else would have it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMESPACE } from "../src/client/testing/server.ts";
import { openShell, type Shell } from "./shell.ts";

const ROOT = join(import.meta.dirname, "..");
/** A compiler runs. */
const TIMEOUT_MS = 120_000;

let folder: string;
let shell: Shell;
beforeAll(() => {
  shell = openShell();
  folder = mkdtempSync(join(tmpdir(), "vitess-kv-build-"));
  const built = join(folder, "built");
  execFileSync(process.execPath, [join(ROOT, "src/cli/build.ts"), built]);
  const packed = execFileSync("npm", ["pack", built, "--silent"], { cwd: folder, encoding: "utf8" }).trim();
  const installed = join(folder, "node_modules/vitess-kv");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", packed, "--strip-components=1", "-C", installed], { cwd: folder });
}, TIMEOUT_MS);
afterAll(async () => {
  await shell.stop();
  rmSync(folder, { recursive: true });
});

const PROGRAM = `
import { createClient, KVError } from "vitess-kv/client";
import { getOrSet, lock } from "vitess-kv/client/recipes";
import { asKVNamespace } from "vitess-kv/client/kv-namespace";

const kv = createClient({ url: process.env.KV_URL ?? "", namespace: "${NAMESPACE}" });
const found = [];
await Promise.all([kv.put("a", "1", { ttl: 60 }), kv.put("b", Uint8Array.of(255))]);
for await (const { key } of kv.list()) found.push(key);
const held = await lock(kv, "lock", { ttl: 5 });
await held?.release();
found.push(await getOrSet(kv, "c", 60, () => ({ n: 1 })), await asKVNamespace(kv).get("a"));
found.push((await kv.head("b"))?.bytes, (await kv.increment("n")).value.toString());
await kv.put("a", "x", { ttl: -1 }).catch((error) => found.push(error instanceof KVError && error.code));
console.log(JSON.stringify(found));
`;

test("Node runs it", async () => {
  writeFileSync(join(folder, "use.mjs"), PROGRAM);
  const node = spawn("node", ["use.mjs"], { cwd: folder, env: { PATH: process.env.PATH, KV_URL: shell.url } });
  let out = "";
  node.stdout.on("data", (chunk) => (out += chunk));
  node.stderr.pipe(process.stderr);
  expect(await once(node, "close")).toEqual([0, null]);
  expect(JSON.parse(out)).toEqual(["a", "b", { n: 1 }, "1", 1, "1", "invalid_ttl"]);
});

test("Node runs the command line", async () => {
  const program = join(folder, "node_modules/vitess-kv/kv.js");
  const run = async (...args: string[]) => {
    const kv = spawn(program, args, { env: { PATH: process.env.PATH, KV_URL: shell.url } });
    let out = "";
    kv.stdout.on("data", (chunk) => (out += chunk));
    kv.stdin.end("from standard input");
    const [code] = await once(kv, "close");
    return [code, out];
  };
  expect(await run("put", "test/k")).toEqual([0, ""]);
  expect(await run("get", "test/k")).toEqual([0, "from standard input"]);
  expect(await run("get", "test/absent")).toEqual([1, ""]);
  expect((await run("token", "--namespaces", "a", "--read"))[0]).toBe(0);
});

test.each([
  ["NodeNext", "NodeNext"],
  ["Preserve", "bundler"],
])(
  "TypeScript reads its types, with modules as %s",
  (module, moduleResolution) => {
    writeFileSync(
      join(folder, "use.mts"),
      `declare const process: { env: { KV_URL?: string } };\n${PROGRAM}`.replace(
        "const found = []",
        "const found: unknown[] = []",
      ),
    );
    const options = { module, moduleResolution, target: "ES2022", strict: true, noEmit: true, types: [] };
    const lib = ["ES2022", "ESNext.Disposable", "DOM"];
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, lib }, files: ["use.mts"] }),
    );
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { exitCode, stdout } = Bun.spawnSync([process.execPath, compiler, "-p", folder]);
    expect({ exitCode, told: stdout.toString() }).toEqual({ exitCode: 0, told: "" });
  },
  TIMEOUT_MS,
);
