// The documents of this repository: every link leads somewhere, every command and file that they name is there, and each
// document is as short as it has to be. Pure: `bun test test/documents.test.ts` needs nothing that runs.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { scripts } from "../package.json";
import { VARIABLES } from "../src/config.ts";
import { picture } from "../vitess/topology/picture.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["src", "drizzle", "vitess", "test", "bench"];
const DOCUMENTS = ["*.md", ...FOLDERS.map((folder) => `${folder}/**/*.md`)]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)])
  .sort();

const README_LINES = 150;
/** With the tables, as `wc -w` counts. */
const DESIGN_WORDS = 6_000;

/** Inline links and images, without titles, which no document uses. */
const LINK = /\]\(([^)\s]+)\)/g;
/** What a `code span` names below one of the folders; `<name>`, `…` and `*` stand for several. */
const NAMED_FILE = /^(?:src|drizzle|vitess|test|bench)\/[\w./-]+$/;
const NPM_SCRIPT = /\bnpm run (?:--silent |-s )?([\w:-]+)/g;

const read = (name: string) => readFileSync(join(ROOT, name), "utf8");

/** The text outside blocks of code. */
const prose = (text: string) => text.replace(/^```.*?^```$/gms, "");

/** The anchors that GitHub gives a document's headings. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = [...prose(text).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = ""]) => {
    const anchor = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return new Set(anchors);
}

/** What is wrong with a link of a document; nothing of one to elsewhere, which no test should ask for. */
function problemOf(document: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? document : join(dirname(document), decodeURIComponent(path));
  if (!existsSync(join(ROOT, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined || anchorsOf(read(target)).has(anchor)) return undefined;
  return `${link}: ${target} has no such heading`;
}

test("the books are there", () => {
  for (const name of ["README.md", "DESIGN.md", "src/http/README.md", "test/robustness/README.md"]) {
    expect(DOCUMENTS).toContain(name);
  }
});

describe.each(DOCUMENTS)("%s", (name) => {
  const text = read(name);
  const spans = [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);

  test("its links and anchors lead somewhere", () => {
    const links = [
      ...prose(text)
        .replace(/`[^`\n]+`/g, "")
        .matchAll(LINK),
    ].map(([, link = ""]) => link);
    expect(links.map((link) => problemOf(name, link)).filter(Boolean)).toEqual([]);
  });

  test("the commands that it names are npm scripts", () => {
    const named = [...text.matchAll(NPM_SCRIPT)].map(([, script = ""]) => script);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });

  // What test/ tells of faults that were found names files as they were then.
  if (name.startsWith("test/")) return;
  test("the files that it names are there", () => {
    const files = spans.filter((span) => NAMED_FILE.test(span));
    expect(files.filter((file) => ![".", dirname(name)].some((at) => existsSync(join(ROOT, at, file))))).toEqual([]);
  });
});

test("anchors are GitHub's", () => {
  const text = "# A `b`, c!\n\n## Keys: [one](x.md)\n\n## Keys: one\n\n```\n# no heading\n```\n";
  expect([...anchorsOf(text)]).toEqual(["a-b-c", "keys-one", "keys-one-1"]);
});

test(`README.md has at most ${README_LINES} lines`, () => {
  expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(README_LINES);
});

test(`DESIGN.md has at most ${DESIGN_WORDS} words`, () => {
  expect(read("DESIGN.md").trim().split(/\s+/).length).toBeLessThanOrEqual(DESIGN_WORDS);
});

test("vitess/system.svg is what vitess/topology/picture.ts draws", () => {
  expect(read("vitess/system.svg")).toBe(picture());
});

test("the table of variables has every variable of the configuration, and no other", () => {
  const named = [...read("vitess/CONFIGURATION.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name = ""]) => name);
  expect(named.toSorted()).toEqual(VARIABLES.toSorted());
});
