// `kv` in a shell's pipelines, as a person writes them.

import { join } from "node:path";

const KV = join(import.meta.dirname, "../../src/cli/kv.ts");

export interface Run {
  /** The last program's. */
  code: number;
  out: string;
  /** What all programs said on standard error. */
  told: string;
  seconds: number;
  /** The most that any one of the programs had. */
  memoryMb: number;
}

/** Runs a line of Bash in which `kv` is a command. `variables` may stand in it. */
export async function runShell(line: string, variables: Record<string, string>, signal?: AbortSignal): Promise<Run> {
  const begun = performance.now();
  const { PATH, NO_PROXY = "" } = process.env;
  const shell = Bun.spawn(["bash", "--norc", "-c", `kv() { "$BUN" "$KV" "$@"; }\n${line}`], {
    env: { PATH, NO_PROXY, BUN: process.execPath, KV, ...variables },
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe", signal },
  });
  const [out, told, code] = await Promise.all([
    new Response(shell.stdout).text(),
    new Response(shell.stderr).text(),
    shell.exited,
  ]);
  const memoryMb = (shell.resourceUsage()?.maxRSS ?? Number.NaN) / 1e6;
  return { code, out, told, seconds: (performance.now() - begun) / 1000, memoryMb };
}

/** What an import printed with `--json`. */
interface Imported {
  imported: number;
  /** Where an export goes on, if it was cut off. */
  cursor?: string;
}

/** Copies one namespace into another through a pipe of which only so many bytes arrive; throws unless that cuts it off. */
export async function cutOffCopy(variables: CopyVariables, bytes: number, signal?: AbortSignal) {
  const line = `kv export "$FROM" --url "$FROM_URL" | head -c "$BYTES" | kv import "$TO" --url "$TO_URL" --json`;
  const run = await runShell(line, { ...variables, BYTES: String(bytes) }, signal);
  const imported: Imported = JSON.parse(run.out);
  if (run.code !== 2 || !imported.cursor) throw new Error(`the copy was not cut off:\n${run.told}`);
  return { ...run, ...imported, cursor: imported.cursor };
}

/** The rest of it; throws unless it comes to its end. */
export async function resumedCopy(variables: CopyVariables, cursor: string, signal?: AbortSignal) {
  const line = `kv export "$FROM" --url "$FROM_URL" --cursor "$CURSOR" | kv import "$TO" --url "$TO_URL" --json`;
  const run = await runShell(line, { ...variables, CURSOR: cursor }, signal);
  if (run.code !== 0) throw new Error(`the rest of the copy failed:\n${run.told}`);
  return { ...run, ...(JSON.parse(run.out) as Imported) };
}

export type CopyVariables = Record<"FROM" | "FROM_URL" | "TO" | "TO_URL", string>;
