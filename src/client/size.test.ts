// What the client costs whoever loads it, as a browser's bundle would have it.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const LIMIT_BYTES = 6_000;

const entries = ["index.ts", "recipes.ts", "kv-namespace.ts"].map((name) => join(import.meta.dirname, name));

async function bundle(...files: string[]): Promise<string> {
  const entry = "/everything.ts";
  const text = files.map((file) => `export * from ${JSON.stringify(file)};`).join("\n");
  const { outputs } = await Bun.build({
    ...{ entrypoints: [entry], files: { [entry]: text } },
    ...{ minify: true, target: "browser", format: "esm" },
  });
  expect(outputs.length).toBe(1);
  return (outputs[0] as Blob).text();
}
const gzipped = (text: string) => Bun.gzipSync(Buffer.from(text), { level: 9 }).length;

test(`everything together is at most ${LIMIT_BYTES} bytes, minified and gzipped`, async () => {
  const [main, everything] = [gzipped(await bundle(entries[0] as string)), gzipped(await bundle(...entries))];
  expect(main).toBeLessThan(everything);
  expect(everything).toBeLessThanOrEqual(LIMIT_BYTES);
  const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
  const [, mainSize, size] =
    /is ([\d.]+ kB) minified and gzipped; with all that is below it is ([\d.]+ kB)/.exec(readme) ?? [];
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  expect([mainSize, size]).toEqual([kilobytes(main), kilobytes(everything)]);
});

test("nothing in it belongs to one runtime", async () => {
  expect(await bundle(...entries)).not.toMatch(/node:|\b(Bun|Deno|process|Buffer|require)\b[.(]/);
});
