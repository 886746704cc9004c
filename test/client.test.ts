// The client by one suite of cases: in every runtime that it is for, over a server that asks for tokens and, in a browser,
// is of another origin than the page; and over the other kinds of servers.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { newToken } from "../src/auth/tokens.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import type { Surroundings } from "./client/cases.ts";
import { CHROMIUM, RUNTIMES, type Runtime, withBundle } from "./client/runtimes.ts";
import { type Outcomes, outcomeOf, SUITE } from "./client/suite.ts";
import { freePort } from "./free-port.ts";
import { targets } from "./targets.ts";

const all = newToken(["read", "write"], "*");
const reader = newToken(["read"], "*");
/** Takes connections, and no more. */
const silent = createServer().listen(0, "127.0.0.1");

let server: RunningServer;
let surroundings: Surroundings;
beforeAll(async () => {
  server = await startServer({
    DATABASE_URL: targets.vitess.databaseUrl,
    ...{ KV_TOKENS: `${all.entry} ${reader.entry}`, KV_CORS_ORIGINS: "*" },
  });
  const { port } = silent.address() as AddressInfo;
  surroundings = {
    ...{ url: server.url, tokens: { all: all.token, reader: reader.token } },
    ...{ silentUrl: `http://127.0.0.1:${port}`, closedUrl: `http://127.0.0.1:${await freePort()}` },
  };
});
afterAll(async () => {
  silent.close();
  await server.stop();
});

if (!CHROMIUM) console.error("Chromium is not on PATH, so nothing is tried in a browser: apt-get install chromium");

describe.each(Object.keys(RUNTIMES))("in %s", (name) => {
  const isMissing = name === "Chromium" && !CHROMIUM;
  let outcomes: Outcomes;
  beforeAll(async () => {
    if (!isMissing) outcomes = await withBundle((folder) => (RUNTIMES[name] as Runtime)(folder, surroundings));
  });

  test.skipIf(isMissing).each(SUITE)("$name", ({ name: of }) => {
    expect(outcomes[of]).toBe(null);
  });
});

describe.each(["mysql", "worker"] as const)("over %s", (name) => {
  const cases = SUITE.filter(({ isLong }) => name !== "worker" || !isLong);
  test.each(cases)("$name", async ({ run }) => {
    expect(await outcomeOf(run, { ...surroundings, url: targets[name].url, tokens: undefined })).toBe(null);
  });
});
