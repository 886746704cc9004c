// What the README shows is what happens.

import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../src/config.ts";
import { targets } from "./targets.ts";

const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");

/** What differs from run to run, and what a terminal does not show: tags, request ids, times, carriage returns. */
function withoutChance(text: string) {
  return text
    .replaceAll("\r", "")
    .replace(/"[0-9a-f]{20}"/g, "(tag)")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "(id)")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "(time)")
    .replace(/"ttl_ms":\d{5}\b/g, '"ttl_ms":(under a minute)');
}

test("the tour's commands print what it says, line by line", () => {
  const tour = [...readme.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block).join("");
  const commands = [...tour.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command as string);
  expect(commands.length).toBeGreaterThan(15);
  // One shell for all of them, as in a reader's terminal, that prints each command before its output.
  const script = commands.map((command) => `printf '%s\\n' ${quote(`$ ${command}`)}\n${command}`).join("\n");
  const session = execFileSync("bash", ["-c", script.replaceAll("localhost:8787", targets.vitess.url)], {
    encoding: "utf8",
  });
  expect(withoutChance(session.replaceAll(targets.vitess.url, "localhost:8787"))).toBe(withoutChance(tour));
});

test("the table has every variable", () => {
  const [, section = ""] = readme.split("## Configuration");
  const table = [...section.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name as string);
  expect(table.toSorted()).toEqual(VARIABLES.toSorted());
});

function quote(text: string) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
