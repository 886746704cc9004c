// Requests that schemathesis makes of the OpenAPI document, right ones and wrong ones, to a server over Vitess: each is
// answered with what the document says.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash, install } from "../vitess/install/cache.ts";
import { run } from "../vitess/support/processes.ts";
import { targets } from "./targets.ts";

const SOURCE = join(import.meta.dirname, "schemathesis");
const REQUIREMENTS = join(SOURCE, "requirements.txt");

/** The same requests each time, as far as the server's answers are: another seed may find what this one has not. */
const SEED = "1";
/** For each call. */
const EXAMPLES = "100";

const scratch = mkdtempSync(join(tmpdir(), "vitess-kv-schemathesis-"));
afterAll(() => rmSync(scratch, { recursive: true }));

let python: string;
beforeAll(async () => {
  const name = `schemathesis-${hash(readFileSync(REQUIREMENTS, "utf8"))}`;
  const { signal } = new AbortController();
  const dir = await install(name, "Install schemathesis", 200, signal, async (partial) => {
    const pip = (...args: string[]) => run({ file: join(partial, "bin/python"), args }, { keepUser: true, signal });
    await run({ file: "python3", args: ["-m", "venv", partial] }, { keepUser: true, signal });
    await pip("-m", "pip", "install", "--disable-pip-version-check", "-r", REQUIREMENTS);
  });
  python = join(dir, "bin/python");
}, 600_000);

/** Not in one run: that would take some wrong values for right ones. Calls follow each other only where they succeed. */
test.each([
  ["right", "positive", "examples,coverage,fuzzing,stateful"],
  ["wrong", "negative", "examples,coverage,fuzzing"],
])("schemathesis finds nothing with %s requests", async (_, mode, phases) => {
  const options = [`--mode=${mode}`, `--phases=${phases}`, `--max-examples=${EXAMPLES}`, `--seed=${SEED}`];
  const { exitCode, stdout } = Bun.spawnSync(
    [
      ...[python, "-m", "schemathesis.cli", "--config-file", join(SOURCE, "schemathesis.toml")],
      ...["run", `${targets.vitess.url}/openapi.json`, ...options],
    ],
    // It leaves its notes in the folder where it runs.
    { cwd: scratch, env: { ...process.env, NO_COLOR: "1" } },
  );
  expect(exitCode === 0 ? "" : `${stdout}`).toBe("");
});
