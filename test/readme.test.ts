// What README.md and the API's README show is what happens.

import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { targets } from "./targets.ts";

/** What differs from run to run, and what a terminal does not show: tags, request ids, times, carriage returns. */
function withoutChance(text: string) {
  return text
    .replaceAll("\r", "")
    .replace(/\\?"[0-9a-f]{20}\\?"/g, "(tag)")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "(id)")
    .replace(/dur=[\d.]+/g, "dur=(ms)")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "(time)")
    .replace(/"ttl_ms":\d{5}\b/g, '"ttl_ms":(under a minute)');
}

test.each(["README.md", "src/http/README.md"])("the commands of %s print what it says, line by line", (name) => {
  const text = readFileSync(join(import.meta.dirname, "..", name), "utf8");
  const tour = [...text.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block).join("");
  const commands = [...tour.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command as string);
  expect(commands.length).toBeGreaterThan(9);
  // One shell for all of them, as in a reader's terminal, that prints each command before its output.
  const script = commands.map((command) => `printf '%s\\n' ${quote(`$ ${command}`)}\n${command}`).join("\n");
  const session = execFileSync("bash", ["-c", script.replaceAll("localhost:8787", targets.vitess.url)], {
    encoding: "utf8",
  });
  expect(withoutChance(session.replaceAll(targets.vitess.url, "localhost:8787"))).toBe(withoutChance(tour));
});

function quote(text: string) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
