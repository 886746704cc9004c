// What a server meets around it: readers of its output that go away, variables that are set to nothing, .env files, and a
// table that is gone.

import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { VARIABLES } from "../src/config.ts";
import { portInUse } from "../src/port.ts";
import { defaultDataDir } from "../vitess/run/cluster.ts";
import { SERVER } from "../vitess/run/in-foreground.ts";
import { launchServer, START, startServer } from "../vitess/run/server-process.ts";
import { freePort } from "./free-port.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

const PROJECT = join(import.meta.dirname, "..");
const CALLS = 100;

test.each([
  ["the server", SERVER],
  ["npm start", START],
])("%s goes on when whoever reads its output goes away, as in `npm start | head -1`", async (_, program) => {
  const port = await freePort();
  const environment = { DATABASE_URL: targets.vitess.databaseUrl, LOG_LEVEL: "debug", PORT: String(port) };
  const { child, output, exited } = launchServer(environment, program);
  await once(child.stdout, "data");
  child.stdout.destroy();
  await until(() => portInUse("127.0.0.1", port), "it serves");
  // Each is a line of the log.
  for (let i = 0; i < CALLS; i++) {
    expect((await call(freshKeyUrl(`http://127.0.0.1:${port}`), { method: "PUT", body: "v" })).status).toBe(204);
  }
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(output()).not.toContain("EPIPE");
});

describe("variables", () => {
  test("that are empty, as compose files make them, count as not set", async () => {
    const empty = Object.fromEntries([...VARIABLES, "HOME", "XDG_DATA_HOME"].map((name) => [name, ""]));
    const server = await startServer({ ...empty, PORT: "0", DATABASE_URL: targets.vitess.databaseUrl });
    expect((await call(freshKeyUrl(server.url), { method: "PUT", body: "v" })).status).toBe(204);
    await server.stop();
  });

  test.each([
    [{}, "/tmp/.local/share/vitess-kv"],
    [{ HOME: "", XDG_DATA_HOME: "" }, "/tmp/.local/share/vitess-kv"],
    [{ HOME: "/home/me", XDG_DATA_HOME: "" }, "/home/me/.local/share/vitess-kv"],
    [{ HOME: "/home/me", XDG_DATA_HOME: "/data" }, "/data/vitess-kv"],
  ])("with %j the data is in %s", (environment, dir) => {
    expect(defaultDataDir(environment, false)).toBe(dir);
  });

  test("are never read from a .env file, in which $ and # would mean something", async () => {
    const dir = mkdtempSync(join(tmpdir(), "vitess-kv-env-"));
    try {
      copyFileSync(join(PROJECT, "bunfig.toml"), join(dir, "bunfig.toml"));
      writeFileSync(join(dir, ".env"), "DATABASE_URL=mysql://kv:pa$$w0rd@127.0.0.1:1/kv#x\n");
      const { DATABASE_URL: _, ...environment } = process.env;
      const child = spawn(process.execPath, [SERVER], { cwd: dir, env: { ...environment, PORT: "0" }, stdio: "pipe" });
      let output = "";
      child.stderr.on("data", (chunk) => {
        output += chunk;
      });
      await once(child, "close");
      expect(output).toStartWith("DATABASE_URL: must name a database;");
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test("a table that is gone makes a line a second in the log, not one for each call", async () => {
  const root = await createConnection({ socketPath: targets.mysql.socket, user: "root" });
  await root.query("CREATE DATABASE gone");
  await root.query("GRANT ALL ON gone.* TO kv@'127.0.0.1'");
  try {
    const server = await startServer({ DATABASE_URL: targets.mysql.databaseUrl.replace(/kv$/, "gone") });
    await root.query("DROP TABLE gone.entries");
    const begun = performance.now();
    for (let i = 0; i < CALLS; i++) {
      const answer = await call(freshKeyUrl(server.url, "secret"), i % 2 === 0 ? {} : { method: "PUT", body: "v" });
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([500, "internal"]);
    }
    const seconds = (performance.now() - begun) / 1000;
    await server.stop();
    const lines = server.output().split("\n");
    const errors = lines.filter((line) => line.includes('"store error"'));
    expect(errors.length).toBeWithin(1, seconds + 3);
    expect(lines.length).toBeLessThan(errors.length + 20);
    expect(server.output()).not.toContain("secret");
  } finally {
    await root.query("DROP DATABASE gone");
    root.destroy();
  }
});
