// The directions between the rooms, which the linter enforces: a forbidden import fails `npm run check`.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

const FORBIDDEN = [
  ["src/store", "../database/table.ts"],
  ["src/store", "../batching/lane.ts"],
  ["src/database", "../batching/lane.ts"],
  ["src/database", "../http/answer.ts"],
  ["src/batching", "../http/answer.ts"],
  ["src/batching", "../sweep/lease.ts"],
  ["src/auth", "../http/answer.ts"],
  ["src/http", "../database/table.ts"],
  ["src/http", "../batching/lane.ts"],
  ["src/http", "../app.ts"],
  ["src/http/reference", "../../app.ts"],
  ["src/http/reference", "../../database/table.ts"],
  ["src/http/reference", "../../../bench/load.ts"],
  ["src/http/compat/redis", "../../../database/table.ts"],
  ["src/http/compat/redis", "../../../app.ts"],
  ["src/forward", "../database/table.ts"],
  ["src/forward", "../batching/lane.ts"],
  ["src/forward", "../app.ts"],
  ["src/sweep", "../batching/direct.ts"],
  ["src/telemetry", "../http/answer.ts"],
  ["src/dashboard", "../batching/direct.ts"],
  ["src/dashboard", "../telemetry/metrics.ts"],
  ["src/dashboard", "./browser/bytes.ts"],
  ["src/dashboard/browser", "../state.ts"],
  ["src/dashboard/browser", "../../http/answer.ts"],
  ["src/dashboard/browser/keys", "../../../client/lists.ts"],
  ["src/dashboard/browser/keys", "../../state.ts"],
  ["src/client", "../limits.ts"],
  ["src/client", "../http/answer.ts"],
  ["src/client", "./testing/server.ts"],
  ["src/cli", "../store/store.ts"],
  ["src/cli", "../client/testing/server.ts"],
  ["src/store", "../client/client.ts"],
  ["src/http", "../client/client.ts"],
  ["src/http", "../../bench/load.ts"],
  ["src/database", "../../test/targets.ts"],
  ["src/sweep", "../../vitess/cli.ts"],
  ["src", "../vitess/cli.ts"],
  ["vitess/run", "../../test/targets.ts"],
  ["bench/load", "../../test/targets.ts"],
];
const ALLOWED = [
  ["src/auth", "../follow.ts"],
  ["src/database", "../store/store.ts"],
  ["src/batching", "../database/table.ts"],
  ["src/http", "../store/store.ts"],
  ["src/http/reference", "../operation.ts"],
  ["src/http/reference", "../../store/store.ts"],
  ["src/http/compat/redis", "../../path.ts"],
  ["src/http/compat/redis", "../../../store/store.ts"],
  ["src/forward", "../client/client.ts"],
  ["src/forward", "../http/answer.ts"],
  ["src/sweep", "../limits.ts"],
  ["src/dashboard", "../http/answer.ts"],
  ["src/dashboard", "../database/tablets.ts"],
  ["src/dashboard/browser", "../../client/index.ts"],
  ["src/dashboard/browser/keys", "../../../client/index.ts"],
  ["src/dashboard/browser/keys", "../bytes.ts"],
  ["src/dashboard/browser/state", "../../document.ts"],
  ["src/client", "./client.ts"],
  ["src/client/testing", "../../app.ts"],
  ["src/cli", "../client/index.ts"],
  ["src/cli", "../limits.ts"],
  ["src/cli", "../auth/tokens.ts"],
  ["src", "./http/answer.ts"],
  ["bench/load", "../../src/limits.ts"],
  ["vitess/run", "../../src/config.ts"],
  ["test", "../bench/load.ts"],
];

/** A project with the same linter and one file for each case, in which nothing else is. */
let project: string;
let report: string;

const fileOf = (room: string, specifier: string) => `${room}/imports${specifier.replaceAll(/\W/g, "_")}.ts`;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "vitess-kv-directions-"));
  for (const name of ["biome.json", ".gitignore"]) copyFileSync(join(ROOT, name), join(project, name));
  for (const [room, specifier] of [...FORBIDDEN, ...ALLOWED] as [string, string][]) {
    const file = join(project, fileOf(room, specifier));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `import "${specifier}";\n`);
  }
  const biome = join(ROOT, "node_modules/.bin/biome");
  const { stdout, stderr } = Bun.spawnSync([biome, "lint", "--max-diagnostics=none", "."], { cwd: project });
  report = `${stdout}${stderr}`;
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const errorOf = (room: string, specifier: string) =>
  report.split("\n").find((line) => line.startsWith(`${fileOf(room, specifier)}:`));

test.each(FORBIDDEN as [string, string][])("a file in %s must not import %s", (room, specifier) => {
  expect(errorOf(room, specifier)).toContain("lint/style/noRestrictedImports");
});

test.each(ALLOWED as [string, string][])("a file in %s may import %s", (room, specifier) => {
  expect(errorOf(room, specifier)).toBeUndefined();
});
