// Requests that schemathesis makes of the OpenAPI document, right ones and wrong ones, to a server over Vitess: each is
// answered with what the document says.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasPython, INSTALL_TIMEOUT_MS, pythonWith } from "./python.ts";
import { targets } from "./targets.ts";

const SOURCE = join(import.meta.dirname, "schemathesis");
const REQUIREMENTS = join(SOURCE, "requirements.txt");

/** The same requests each time, as far as the server's answers are: another seed may find what this one has not. */
const SEED = "1";
/** For each call. */
const EXAMPLES = "100";

const scratch = mkdtempSync(join(tmpdir(), "vitess-kv-schemathesis-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.skipIf(!hasPython)("schemathesis (where Python can make environments)", () => {
  let python: string;
  beforeAll(async () => {
    const dir = await pythonWith("schemathesis", REQUIREMENTS);
    python = join(dir, "bin/python");
  }, INSTALL_TIMEOUT_MS);

  /** Not in one run: that would take some wrong values for right ones. Calls follow each other only where they succeed. */
  test.each([
    ["right", "positive", "examples,coverage,fuzzing,stateful"],
    ["wrong", "negative", "examples,coverage,fuzzing"],
  ])("finds nothing with %s requests", async (_, mode, phases) => {
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
});
