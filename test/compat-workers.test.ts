// A Worker that was written for Cloudflare KV, unmodified, in Cloudflare's own runtime: its binding leads to a server over
// Vitess, as the documents say it can.

import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveWorkerd, startWorkerd, WRANGLER } from "../vitess/run/workerd.ts";
import { call, targets } from "./targets.ts";

const PROJECT = join(import.meta.dirname, "..");
/** Of a value that is larger than the server takes. */
const TOO_LARGE = /KV PUT failed: 413/;
const WORKER = join(import.meta.dirname, "compat/worker.js");
/** A block of a document in that language, with a server's address and another namespace. */
function block(document: string, language: string, url: string, namespace: string): string {
  const text = readFileSync(join(PROJECT, document), "utf8");
  const [, found] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(text) ?? [];
  if (!found) throw new Error(`${document} has no block in ${language}`);
  return found.replaceAll("localhost:8787", new URL(url).host).replaceAll('"demo"', JSON.stringify(namespace));
}

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-compat-"));
  copyFileSync(WORKER, join(dir, "worker.js"));
  return dir;
}

test("on workerd, as README.md configures it", () => runOnWorkerd(targets.vitess.url));

test("on workerd, over our own Worker", async () => {
  const server = await startWorkerd(targets.vitess.databaseUrl);
  try {
    // Refused before all of it has come: then workerd ends the connection while the client still sends.
    await runOnWorkerd(server.url, /KV PUT failed: 413|Network connection lost/);
  } finally {
    await server.stop();
  }
});

async function runOnWorkerd(url: string, tooLarge = TOO_LARGE) {
  const [services, bindings] = block("README.md", "capnp", url, `workerd${Date.now()}`).split(/^(?=bindings)/m);
  const worker = await serveWorkerd(
    scratch(),
    `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (${services} sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")]);
const worker :Workerd.Worker = (
  ${bindings} modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-04-21",
);
`,
  );
  try {
    await expectAll(worker.url, tooLarge);
  } finally {
    await worker.stop();
  }
}

test("in `wrangler dev`, as the interfaces' document configures it", async () => {
  const dir = scratch();
  const document = "src/http/compat/README.md";
  const plugin = join(dir, "vitess-kv.mjs");
  writeFileSync(plugin, block(document, "js", targets.vitess.url, ""));
  const toml = block(document, "toml", targets.vitess.url, `wrangler${Date.now()}`).replaceAll(
    "/path/to/vitess-kv.mjs",
    plugin,
  );
  writeFileSync(
    join(dir, "wrangler.toml"),
    `name = "w"\nmain = "worker.js"\ncompatibility_date = "2026-04-21"\n${toml}`,
  );
  const wrangler = spawn("node", ["--no-warnings", WRANGLER, "dev", "--ip=127.0.0.1", "--port=0"], {
    cwd: dir,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: dir, CI: "true" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(wrangler, "exit");
  try {
    let output = "";
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [wrangler.stdout, wrangler.stderr]) {
        stream.setEncoding("utf8").on("data", (chunk) => {
          output += chunk;
          const [, ready] = /Ready on (\S+)/.exec(output) ?? [];
          if (ready) resolve(ready);
        });
      }
      exited.then(() => reject(new Error(`wrangler ended:\n${output}`)));
    });
    await expectAll(url);
  } finally {
    wrangler.kill("SIGTERM");
    await exited;
    rmSync(dir, { recursive: true, force: true });
  }
});

/** All that the Worker can do came out as it would on Cloudflare, but for what is written otherwise. */
async function expectAll(url: string, tooLarge = TOO_LARGE) {
  const answer = await call(url);
  const text = await answer.text();
  expect(answer.status === 200 ? "" : text).toBe("");
  const { key, metadata, found } = JSON.parse(text);
  const value = '{"täxt":[1]}';
  const cacheStatus = null;
  expect(found).toEqual({
    text: value,
    json: { täxt: [1] },
    arrayBuffer: value,
    stream: value,
    withMetadata: { value: { täxt: [1] }, metadata, cacheStatus },
    none: [null, { value: null, metadata: null, cacheStatus }],
    values: {
      bytes: [0, 255, 128, 10],
      view: [0, 255],
      stream: [...Buffer.from("streamed")],
      unsized: [...Buffer.from("piece by piece")],
      empty: [],
    },
    many: { bytes: "\0\ufffd\ufffd\n", stream: "streamed", none: null },
    manyJson: { [key]: { täxt: [1] }, none: null },
    manyWithMetadata: { [key]: { value, metadata }, empty: { value: "", metadata: null }, none: null },
    notJson: expect.stringContaining("KV GET_BULK failed: 400"),
    expiring: [0],
    expired: null,
    past: expect.stringContaining("KV PUT failed: 400"),
    pages: [0, 10, 20].map((first) =>
      Array.from({ length: Math.min(10, 25 - first) }, (_, i) => ({
        name: `list:${String(first + i).padStart(2, "0")}`,
        metadata: first + i,
      })),
    ),
    left: [],
    wrongCursor: expect.stringContaining("KV GET failed: 400"),
    tooLarge: expect.stringMatching(tooLarge),
    stale: 0,
  });
}
