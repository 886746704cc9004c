// Opens zstd where files can be read; Workers import the module.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Zstd } from "./zstd.ts";

export function openZstd(): Zstd {
  return new Zstd(readModule());
}

export function readModule(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(join(import.meta.dirname, "zstd.wasm")));
}
