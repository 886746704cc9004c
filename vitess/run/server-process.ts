// Starts the real server as a process of its own and stops it, for tests and benchmarks.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SERVER } from "./in-foreground.ts";

/** `npm start` and `npm run dev`: the server, and a cluster if need be. */
export const START = join(import.meta.dirname, "../serve.ts");
export const DEV = join(import.meta.dirname, "../dev.ts");
/** The Worker, as `npm run worker` starts it. */
export const WORKER = join(import.meta.dirname, "wrangler.ts");

/** The server on Deno, and what it has to be allowed; `--unstable-net` lets two listeners share a port, by which a certificate is renewed. */
export const DENO_SERVER = join(import.meta.dirname, "../../src/deno.ts");
const PERMISSIONS = ["--quiet", "--unstable-net", "--allow-net", "--allow-env", "--allow-read", "--allow-sys"];

export interface RunningServer {
  url: string;
  pid: number;
  /** Everything it has printed so far. */
  output: () => string;
  signal: (name: NodeJS.Signals) => void;
  /** Its exit code, once it has ended. */
  exited: Promise<number | null>;
  stop: () => Promise<void>;
}

/**
 * Starts a server on a free port and waits until it serves; throws what it printed when it ends instead. `program` may
 * be another than the real one that says in the same way where it serves; `options` are the runtime's.
 */
export async function startServer(
  environment: Record<string, string>,
  program = SERVER,
  options: string[] = [],
): Promise<RunningServer> {
  const { output, child, exited } = launchServer({ PORT: "0", ...environment }, program, options);
  const url = await new Promise<string>((resolve, reject) => {
    exited.then(() => reject(new Error(`the server ended:\n${output()}`)));
    child.stdout.on("data", () => {
      const line = output()
        .split("\n")
        .find((text) => text.includes('"serving"'));
      if (line) resolve(JSON.parse(line).url.replace(/\/$/, ""));
    });
  });
  return {
    url,
    pid: child.pid as number,
    output,
    signal: (name) => child.kill(name),
    exited,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Starts a server without waiting for anything. */
export function launchServer(environment: Record<string, string>, program = SERVER, options: string[] = []) {
  const [command, ...before] = program === DENO_SERVER ? denoCommand() : [process.execPath];
  const child = spawn(command as string, [...before, ...options, program], {
    // A test that stops a server has no clients there.
    env: { ...process.env, KV_LEAVE_MS: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
  }
  const exited = once(child, "exit").then(([code]) => code as number | null);
  return { child, output: () => output, exited };
}

/** Deno itself, because a signal for npm's wrapper around it would not reach it; the wrapper unpacks it when it first runs. */
function denoCommand(): string[] {
  const wrapper = fileURLToPath(import.meta.resolve("deno/bin.cjs"));
  const deno = join(dirname(wrapper), "deno");
  if (!existsSync(deno)) execFileSync("node", [wrapper, "--version"]);
  return [deno, "run", ...PERMISSIONS];
}
