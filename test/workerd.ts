// workerd alone, and the Worker in it: its requests come as they were sent, not through the proxies of `wrangler dev`.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { readUrl } from "../src/database/url.ts";
import type { RunningServer } from "../vitess/run/server-process.ts";

const PROJECT = join(import.meta.dirname, "..");
const WRANGLER = fileURLToPath(import.meta.resolve("wrangler"));
/** The one that this wrangler comes with. */
const WORKERD: string = createRequire(WRANGLER)("workerd").default;
/** Of workerd's file descriptors, the one on which it says where it listens. */
const CONTROL = 3;

/** Starts it on a free port, with what wrangler would deploy. */
export async function startWorkerd(databaseUrl: string): Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-workerd-"));
  const deploy = ["deploy", "--dry-run", `--outdir=${dir}`];
  execFileSync("node", ["--no-warnings", WRANGLER, ...deploy], {
    cwd: PROJECT,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: dir },
    stdio: "pipe",
  });
  return await serveFolder(dir, configuration(databaseUrl));
}

/** Serves what a configuration and the files beside it describe, on a free port, and deletes the folder at the end. */
export async function serveFolder(dir: string, config: string): Promise<RunningServer> {
  writeFileSync(join(dir, "config.capnp"), config, { mode: 0o600 });
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
function configuration(databaseUrl: string): string {
  const { host, port, user, password, database } = readUrl(databaseUrl);
  const toml = Bun.TOML.parse(readFileSync(join(PROJECT, "wrangler.toml"), "utf8")) as Record<string, unknown>;
  const text = JSON.stringify;
  return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "database", external = (address = ${text(`${host}:${port}`)}, tcp = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${text(toml.compatibility_date)},
  compatibilityFlags = ${text(toml.compatibility_flags)},
  bindings = [
    (name = "KV_ALLOW_ANONYMOUS", text = "true"),
    (name = "HYPERDRIVE", hyperdrive = (designator = "database", scheme = "mysql",
      database = ${text(database)}, user = ${text(user)}, password = ${text(password)})),
  ],
);
`;
}
