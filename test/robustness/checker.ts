// Holds histories against the model: builds the Go program in checker/ once, into the cache folder, and runs it.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hash, install } from "../../vitess/install/cache.ts";
import { findGo } from "../../vitess/install/go.ts";
import { run } from "../../vitess/support/processes.ts";

const SOURCE = join(import.meta.dirname, "checker");
export const PORCUPINE_VERSION = /porcupine v(\S+)/.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1] ?? "";
/** A key whose history has not been explained by then is reported as such, and not as right. */
const TIMEOUT_PER_KEY = "10s";

export interface Findings {
  keys: number;
  calls: number;
  /** Keys whose history is not linearizable. */
  illegal: string[];
  /** Keys of which that was not found out in time. */
  timedOut: string[];
  /** What can be told in words. */
  violations: { kind: "lost" | "doubled" | "stale" | "false"; key: string; detail: string }[];
  /** The histories of those keys, and pictures of some. */
  files: string[];
  seconds: number;
}

/** Checks a history, as `writeHistory` writes it; puts the histories that it can't explain into the folder. */
export async function check(historyFile: string, outDir: string, signal: AbortSignal): Promise<Findings> {
  const checker = join(await buildChecker(signal), "checker");
  const child = Bun.spawn([checker, "--out", outDir, "--timeout", TIMEOUT_PER_KEY], {
    stdin: Bun.file(historyFile),
    stdout: "pipe",
    stderr: "pipe",
    signal,
  });
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`the checker failed: ${errors.slice(-2_000)}`);
  return JSON.parse(output);
}

/** The folder with the program, built when it is first needed. */
async function buildChecker(signal: AbortSignal): Promise<string> {
  const sources = globSync(join(SOURCE, "{*.go,go.mod,go.sum}")).sort();
  const name = `checker-${hash(sources.map((file) => readFileSync(file, "utf8")).join())}`;
  return install(name, "Build the checker of histories", 300, signal, async (partial) => {
    const go = await findGo(signal);
    const args = ["build", "-trimpath", "-o", join(partial, "checker"), "."];
    await run({ ...go, args, cwd: SOURCE }, { keepUser: true, signal });
  });
}
