// `npm run zstd`: compiles zstd and codec.c into zstd.wasm, which servers and Workers load. It needs Python with venv: the
// compiler and zstd's source are in Python's packages.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DICTIONARY_VALUE_BYTES } from "../limits.ts";

const ZIG = "ziglang==0.17.1";
/** Its source has zstd in one file. */
const ZSTD = "zstandard==0.25.0";
const FLAGS = [
  ...["--target=wasm32-wasi", "-mexec-model=reactor", "-O3", "-Wl,--strip-all", "-Wno-deprecated-declarations"],
  // Of the usual 16 MiB little would be used.
  "-Wl,-z,stack-size=524288",
  `-DVALUE_BYTES=${DICTIONARY_VALUE_BYTES}`,
  // Of the highest levels, which would take longer for a value than the rest of its call.
  ...["BTLAZY2", "BTOPT", "BTULTRA"].map((name) => `-DZSTD_EXCLUDE_${name}_BLOCK_COMPRESSOR`),
];
const source = join(import.meta.dirname, "codec.c");
const built = join(import.meta.dirname, "zstd.wasm");

/** The section of the module that says what it was built from. */
export const BUILT_FROM = "built from";

/** A hash of what it is built from now. */
export function builtFrom(): string {
  const hash = createHash("sha256")
    .update(readFileSync(source))
    .update([ZIG, ZSTD, ...FLAGS].join(" "));
  return hash.digest("hex");
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "vitess-kv-zstd-"));
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: "inherit" });
  try {
    run("python3", "-m", "venv", ".");
    run("bin/pip", "install", "--quiet", ZIG);
    run("bin/pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", ZSTD);
    run("tar", "-xzf", `${ZSTD.replace("==", "-")}.tar.gz`, "--strip-components=1");
    run("bin/python", "-m", "ziglang", "cc", ...FLAGS, "-I", "zstd", "-o", built, source);
    writeFileSync(built, withSection(readFileSync(built), BUILT_FROM, builtFrom()));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A module with one more custom section, of fewer than 128 bytes. */
function withSection(module: Buffer, name: string, text: string): Buffer {
  const content = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from(text)]);
  return Buffer.concat([module, Buffer.from([0, content.length]), content]);
}
