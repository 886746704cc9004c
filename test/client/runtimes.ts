// The runtimes that the client is for: each runs the suite's bundle with a `fetch` of its own.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serveWorkerd } from "../../vitess/run/workerd.ts";
import type { Surroundings } from "./cases.ts";
import type { Outcomes } from "./suite.ts";

const BUNDLE = "suite.js";
const DENO = fileURLToPath(import.meta.resolve("deno/bin.cjs"));
/** Debian's package `chromium` has it. */
export const CHROMIUM = Bun.which("chromium");

/** Runs what a folder's bundle holds. */
export type Runtime = (folder: string, surroundings: Surroundings) => Promise<Outcomes>;

export const RUNTIMES: Record<string, Runtime> = {
  Node: program("node"),
  Bun: program(process.execPath),
  Deno: program("node", DENO, "run", "--quiet", "--allow-net"),
  workerd: inWorkerd,
  Chromium: inChromium,
};

/** Makes a folder with the bundle, for the time of `use`. */
export async function withBundle<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "vitess-kv-client-"));
  try {
    const { outputs } = await Bun.build({
      entrypoints: [join(import.meta.dirname, "suite.ts")],
      target: "browser",
      format: "esm",
      // The assertions' messages are made with it.
      banner: "const process = globalThis.process ?? { env: {} };",
    });
    writeFileSync(join(folder, BUNDLE), await (outputs[0] as Blob).text());
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A program that is given a file to run. */
function program(file: string, ...args: string[]): Runtime {
  return async (folder, surroundings) => {
    const main = join(folder, "main.js");
    const given = JSON.stringify(surroundings);
    writeFileSync(
      main,
      `import { runSuite } from "./${BUNDLE}";\nconsole.log(JSON.stringify(await runSuite(${given})));\n`,
    );
    const { stdout } = await promisify(execFile)(file, [...args, main], { env: { PATH: process.env.PATH } });
    return JSON.parse(stdout);
  };
}

async function inWorkerd(folder: string, surroundings: Surroundings): Promise<Outcomes> {
  const own = mkdtempSync(join(tmpdir(), "vitess-kv-client-workerd-"));
  cpSync(folder, own, { recursive: true });
  writeFileSync(
    join(own, "worker.js"),
    `import { runSuite } from "./${BUNDLE}";
export default { fetch: async (request) => Response.json(await runSuite(await request.json())) };\n`,
  );
  const worker = await serveWorkerd(
    own,
    `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "suite", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "suite")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "${BUNDLE}", esModule = embed "${BUNDLE}"),
  ],
  compatibilityDate = "2025-09-01",
);
`,
  );
  try {
    const answer = await fetch(worker.url, { method: "POST", body: JSON.stringify(surroundings) });
    return (await answer.json()) as Outcomes;
  } finally {
    await worker.stop();
  }
}

/** On a page of another origin than the store's. */
async function inChromium(folder: string, surroundings: Surroundings): Promise<Outcomes> {
  const site = createServer(({ url }, answer) => {
    const isScript = url === `/${BUNDLE}`;
    answer.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    answer.end(isScript ? readFileSync(join(folder, BUNDLE)) : "<!doctype html>");
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const browser = await chromium.launch({ executablePath: CHROMIUM as string });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    return await page.evaluate(async ([module, given]) => (await import(`/${module}`)).runSuite(given), [
      BUNDLE,
      surroundings,
    ] as const);
  } finally {
    await browser.close();
    site.close();
    site.closeAllConnections();
  }
}
