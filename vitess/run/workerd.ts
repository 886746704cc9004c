// Workers in workerd alone, ours among them: its requests come as they were sent, not through the proxies of `wrangler dev`.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { readUrl } from "../../src/database/url.ts";
import type { RunningServer } from "./server-process.ts";

const PROJECT = join(import.meta.dirname, "../..");
export const WRANGLER = fileURLToPath(import.meta.resolve("wrangler"));
/** The one that this wrangler comes with. */
const WORKERD: string = createRequire(WRANGLER)("workerd").default;
/** Of workerd's file descriptors, the one on which it says where it listens. */
const CONTROL = 3;

/**
 * Starts our own Worker on a free port, with what wrangler would deploy: over a database, or, with the URLs of servers, as
 * an edge of those.
 */
export async function startWorkerd(databaseUrl: string, forwardUrl?: string): Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-workerd-"));
  const deploy = ["deploy", "--dry-run", `--outdir=${dir}`];
  execFileSync("node", ["--no-warnings", WRANGLER, ...deploy], {
    cwd: PROJECT,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: dir },
    stdio: "pipe",
  });
  const variables: Record<string, string> = forwardUrl
    ? { KV_FORWARD_URL: forwardUrl }
    : { KV_ALLOW_ANONYMOUS: "true" };
  return serveWorkerd(dir, configuration(dir, databaseUrl, variables));
}

/** Starts workerd as a configuration says, which may embed files of `dir`. The folder goes when it ends. */
export async function serveWorkerd(dir: string, configuration: string): Promise<RunningServer> {
  writeFileSync(join(dir, "config.capnp"), configuration, { mode: 0o600 });
  const child = spawn(WORKERD, ["serve", "--experimental", `--control-fd=${CONTROL}`, "config.capnp"], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  const exited = once(child, "exit").then(([code]) => {
    rmSync(dir, { recursive: true });
    return code as number | null;
  });
  const control = child.stdio[CONTROL] as Readable;
  const said = await Promise.race([once(control, "data"), exited]);
  if (!Array.isArray(said)) throw new Error(`workerd ended:\n${output}`);
  const { port } = JSON.parse(String(said[0])) as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    output: () => output,
    signal: (name) => child.kill(name),
    exited,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** In the language of workerd's configuration, whose strings are JSON's. */
function configuration(dir: string, databaseUrl: string, variables: Record<string, string>): string {
  const { host, port, user, password, database } = readUrl(databaseUrl);
  const toml = Bun.TOML.parse(readFileSync(join(PROJECT, "wrangler.toml"), "utf8")) as Record<string, unknown>;
  const text = JSON.stringify;
  const wasm = readdirSync(dir).filter((name) => name.endsWith(".wasm"));
  return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "database", external = (address = ${text(`${host}:${port}`)}, tcp = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    ${wasm.map((name) => `(name = ${text(name)}, wasm = embed ${text(name)}),`).join("\n")}
  ],
  compatibilityDate = ${text(toml.compatibility_date)},
  compatibilityFlags = ${text(toml.compatibility_flags)},
  bindings = [
    ${Object.entries(variables)
      .map(([name, value]) => `(name = ${text(name)}, text = ${text(value)}),`)
      .join("\n")}
    (name = "HYPERDRIVE", hyperdrive = (designator = "database", scheme = "mysql",
      database = ${text(database)}, user = ${text(user)}, password = ${text(password)})),
  ],
);
`;
}
