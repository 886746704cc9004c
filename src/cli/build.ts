// `npm run build`: the client and the command line as a package without dependencies, for Node, browsers and bundlers:
// plain JavaScript with types in dist/, which `npm pack ./dist` packs.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const CLIENT = join(ROOT, "src/client");

/** What comes of a file of `exports`, which this repository's own package has as they were written. */
function compiled(source: string) {
  const file = `./client/${basename(source, ".ts")}`;
  return { types: `${file}.d.ts`, default: `${file}.js` };
}

/** Empties the folder first. */
async function build(folder: string) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const compiler = [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", CLIENT, "--outDir", join(folder, "client")];
  execFileSync(process.execPath, compiler, { stdio: "inherit" });
  const { outputs } = await Bun.build({
    ...{ entrypoints: [join(import.meta.dirname, "kv.ts")], target: "node", format: "esm" },
  });
  const program = await (outputs[0] as Blob).text();
  const file = join(folder, "kv.js");
  writeFileSync(file, program.replace(/^#!.*\n(\/\/ @bun\n)?/, "#!/usr/bin/env node\n"));
  chmodSync(file, 0o755);
  // The program contains it.
  copyFileSync(join(ROOT, "node_modules/citty/LICENSE"), join(folder, "LICENSE-citty"));
  copyFileSync(join(CLIENT, "README.md"), join(folder, "README.md"));
  const { name, version, license, exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const description = {
    ...{ name, version, license, type: "module", sideEffects: false },
    description: "Client and command line of vitess-kv, an HTTP key-value store.",
    // For `hash` of node:crypto; the client alone runs on 20.3 and in browsers.
    engines: { node: ">=20.12" },
    exports: Object.fromEntries(Object.entries<string>(exports).map(([path, source]) => [path, compiled(source)])),
    bin: { kv: "kv.js" },
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(description, undefined, 2)}\n`);
}

await build(resolve(process.argv[2] ?? join(ROOT, "dist")));
