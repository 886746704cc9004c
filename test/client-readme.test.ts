// What README.md shows is what happens: its program runs, and its commands print what it says.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openShell, type Shell } from "./shell.ts";

const ROOT = join(import.meta.dirname, "..");
const README = readFileSync(join(ROOT, "src/client/README.md"), "utf8");
const blocks = (language: string) =>
  [...README.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block]) => block).join("\n");

let shell: Shell;
let folder: string;
beforeEach(() => {
  const now = Date.now();
  shell = openShell({ clock: () => now });
  folder = mkdtempSync(join(tmpdir(), "vitess-kv-readme-"));
});
afterEach(async () => {
  await shell.stop();
  rmSync(folder, { recursive: true });
});

test("the program runs", async () => {
  const results = "{ text, user, bytes, info, etag, swapped, value: String(value), rates, held, found, page }";
  const program = `${blocks("ts")}\nconsole.log(JSON.stringify(${results}));\nvoid KVError;\n`;
  const file = join(folder, "program.ts");
  const here = program.replace(/"vitess-kv\/client(\/[\w-]+)?"/g, (_, name = "/index") =>
    JSON.stringify(join(ROOT, `src/client${name}.ts`)),
  );
  writeFileSync(file, here.replaceAll("http://localhost:8787", shell.url.slice(0, -1)));
  const run = spawn(process.execPath, [file], { env: { PATH: process.env.PATH } });
  let out = "";
  run.stdout.on("data", (chunk) => (out += chunk));
  run.stderr.pipe(process.stderr);
  expect(await once(run, "close")).toEqual([0, null]);
  const lines = out.trimEnd().split("\n");
  expect(lines.slice(0, 2)).toEqual(["user/7", "1 deleted"]);
  expect(JSON.parse(lines[2] as string)).toMatchObject({
    ...{ text: "hello", user: { name: "Ada" }, bytes: { 0: 0xff, 1: 0xd8 }, info: { metadata: { lang: "en" } } },
    ...{ etag: expect.any(String), swapped: expect.any(String), value: "5", rates: { EUR: 1.1 }, held: {} },
    ...{ found: { value: "v", metadata: { a: 1 } }, page: { list_complete: true, keys: [{ name: "k" }] } },
  });
});

test("the commands print what it says, line by line", async () => {
  const tour = blocks("console");
  const commands = [...tour.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command as string);
  expect(commands.length).toBeGreaterThan(9);
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const script = [
    `kv() { ${quote(process.execPath)} ${quote(join(ROOT, "src/cli/kv.ts"))} "$@"; }`,
    // Standard error too, as a terminal shows it; a value has no line's end.
    ...commands.map(
      (command) => `printf '%s\\n' ${quote(`$ ${command}`)}; out=$({ ${command}; } 2>&1); [ -z "$out" ] || echo "$out"`,
    ),
  ];
  const env = { PATH: process.env.PATH, KV_URL: shell.url };
  const bash = spawn("bash", ["--norc", "-c", script.join("\n")], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let session = "";
  bash.stdout.on("data", (chunk) => (session += chunk));
  await once(bash, "close");
  const withoutChance = (text: string) => text.replace(/[0-9a-f]{20}/g, "(tag)");
  expect(withoutChance(session)).toBe(withoutChance(tour));
}, 60_000);
