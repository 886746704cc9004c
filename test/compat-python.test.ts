// The test suite of Cloudflare's Python SDK, as its source distribution has it, against a server over Vitess.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hasPython, INSTALL_TIMEOUT_MS, pythonWith } from "./python.ts";
import { call, targets } from "./targets.ts";

const REQUIREMENTS = join(import.meta.dirname, "compat/cloudflare-python/requirements.txt");
const [, VERSION] = /^cloudflare==(.*)$/m.exec(readFileSync(REQUIREMENTS, "utf8")) ?? [];

const SUITE = "tests/api_resources/kv";
/** What it takes for its own. */
const NAMESPACE = "0f2ac74b498b48028cb68387c421e279";
const KEY = "My-Key";

/** Its cases that can't pass here. */
const IMPOSSIBLE = [
  // A namespace is nothing but its name.
  ["test_namespaces.py", "Namespaces", "test_method_update"],
  ["test_namespaces.py", "Namespaces", "test_raw_response_update"],
  ["test_namespaces.py", "Namespaces", "test_streaming_response_update"],
  // Where keys are stored is not the caller's to say.
  ["test_namespaces.py", "Namespaces", "test_method_create_with_all_params"],
  // The cursor is none of this server's: an answer would be a page of another listing.
  ["namespaces/test_keys.py", "Keys", "test_method_list_with_all_params"],
].flatMap(([file, name, test]) => ["Test", "TestAsync"].map((kind) => `${SUITE}/${file}::${kind}${name}::${test}`));

describe.skipIf(!hasPython)("the suite of Cloudflare's Python SDK (where Python can make environments)", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await pythonWith("cloudflare-python", REQUIREMENTS, async (run) => {
      const sdist = ["--no-deps", "--no-binary", "cloudflare", `cloudflare==${VERSION}`];
      await run("./bin/python", "-m", "pip", "download", "--disable-pip-version-check", ...sdist);
      await run("tar", "-xzf", `cloudflare-${VERSION}.tar.gz`);
    });
  }, INSTALL_TIMEOUT_MS);

  test("passes", async () => {
    // Its own server answers any key, and one file only reads it.
    const key = `${targets.vitess.url}/v1/kv/${NAMESPACE}/${KEY}`;
    await call(key, { method: "PUT", body: "v" });
    const files = ["namespaces/test_metadata.py", "namespaces/test_keys.py", "namespaces/test_values.py"];
    const { exitCode, stdout } = Bun.spawnSync(
      [
        ...[
          join(dir, "bin/python"),
          "-m",
          "pytest",
          "--override-ini=addopts=",
          "--tb=short",
          "-q",
          "-p",
          "no:cacheprovider",
        ],
        ...[...files, "test_namespaces.py"].map((file) => `${SUITE}/${file}`),
        ...IMPOSSIBLE.map((each) => `--deselect=${each}`),
      ],
      {
        cwd: join(dir, `cloudflare-${VERSION}`),
        env: { ...process.env, TEST_API_BASE_URL: `${targets.vitess.url}/client/v4`, PYTHONDONTWRITEBYTECODE: "1" },
      },
    );
    expect(exitCode === 0 ? "" : `${stdout}`).toBe("");
    const [, passed] = /(\d+) passed/.exec(`${stdout}`) ?? [];
    expect(Number(passed)).toBeGreaterThan(200);
  });
});
