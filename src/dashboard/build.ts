// `npm run page`: bundles the page's script and style into built/, from where servers and Workers take them as texts.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const BUILT = join(import.meta.dirname, "built");

/** The texts of the files in built/, by their names. */
export async function buildPage(): Promise<Record<string, string>> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dirname, "browser/page.tsx")],
    target: "browser",
    format: "esm",
    minify: true,
  });
  const texts = outputs.map(async (output) => [output.path.replace(/^.*\//, ""), await output.text()] as const);
  return Object.fromEntries(await Promise.all(texts));
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await buildPage())) writeFileSync(join(BUILT, name), text);
}
