// Runs the cluster's command line as a process of its own, as an operator does.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterStatus } from "../vitess/run/status.ts";

const CLI = join(import.meta.dirname, "../vitess/cli.ts");

/** Starts a command; `output` is what it has printed so far. */
export function launch(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    stdout += chunk;
    output += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  const exited = once(child, "close").then(([code]) => ({ code: code as number | null, output, stdout }));
  return { child, exited, output: () => output };
}

export const cluster = (...args: string[]) => launch(args).exited;

/** The status of the folder's cluster, as programs get it. */
export async function statusOf(dataDir: string): Promise<ClusterStatus> {
  return JSON.parse((await cluster("status", "--data", dataDir, "--json")).stdout);
}

/** Processes that name the folder in their command line: everything a cluster in it is made of. */
export function processesIn(dataDir: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const commandLine = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
      return commandLine.includes(dataDir) && !commandLine.includes(CLI);
    } catch {
      return false; // ended meanwhile
    }
  });
}

/** Stops and deletes the cluster in the folder, if there is one. */
export async function clear(dataDir: string) {
  if (existsSync(dataDir)) await cluster("reset", "--data", dataDir);
  rmSync(dataDir, { recursive: true, force: true });
}
