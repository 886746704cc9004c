// Programs in Python that tests run, installed into the cache folder once.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hash, install } from "../vitess/install/cache.ts";
import { run } from "../vitess/support/processes.ts";

/** Whether this machine's Python can make environments: Debian has what that takes in a package of its own. */
export const hasPython = spawnSync("python3", ["-c", "import ensurepip, venv"]).status === 0;
export const INSTALL_TIMEOUT_MS = 600_000;
const FREE_MB = 300;

/** Runs a program in the folder that is being filled. */
type Run = (file: string, ...args: string[]) => Promise<void>;

/** The folder of an environment that has these packages, by their exact versions, and what `more` adds to it. */
export function pythonWith(name: string, requirements: string, more?: (run: Run) => Promise<void>): Promise<string> {
  const { signal } = new AbortController();
  const part = `${name}-${hash(readFileSync(requirements, "utf8"))}`;
  return install(part, `Install ${name}`, FREE_MB, signal, async (partial) => {
    const runHere = async (file: string, ...args: string[]) => {
      await run({ file, args, cwd: partial }, { keepUser: true, signal });
    };
    await runHere("python3", "-m", "venv", ".");
    await runHere("./bin/python", "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements);
    await more?.(runHere);
  });
}
