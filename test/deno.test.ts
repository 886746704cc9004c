// The server on Deno: what is the runtime's own. What it answers is tested together with the other servers.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DENO_SERVER, launchServer, startServer } from "../vitess/run/server-process.ts";
import { Certificates } from "./certificates.ts";
import { call, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";
import { written, writtenAfter } from "./written.ts";

const DATABASE_URL = targets.vitess.databaseUrl;
const CALLS = 200;

const dir = mkdtempSync(join(tmpdir(), "vitess-kv-deno-"));
const certificates = new Certificates(dir);
beforeAll(async () => {
  await certificates.makeAuthority("ca");
  for (const name of ["first", "second"]) await certificates.make(name, "DNS:localhost,IP:127.0.0.1");
});
afterAll(() => rmSync(dir, { recursive: true }));

test("concurrent calls share statements", async () => {
  const urls = Array.from({ length: CALLS }, () => freshKeyUrl(targets.deno.url));
  const before = await written();
  const puts = await Promise.all(urls.map((url) => call(url, { method: "PUT", body: url })));
  expect(puts.every(({ status }) => status === 204)).toBe(true);
  const after = await writtenAfter(before, CALLS);
  expect(after.statements - before.statements).toBeLessThan(CALLS / 2);
  for (const url of urls)
    expect(await (await call(url.replace(targets.deno.url, targets.vitess.url))).text()).toBe(url);
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "on %s it finishes what is in flight and takes nothing new",
  async (signal) => {
    const server = await startServer({ DATABASE_URL }, DENO_SERVER);
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "old" });
    await whileLocked(url, async (unlock, awaited) => {
      const inFlight = call(url, { method: "PUT", body: "new" });
      await awaited();
      server.signal(signal);
      const isRefused = () =>
        call(`${server.url}/healthz`, { headers: { Connection: "close" } }).then(
          () => false,
          () => true,
        );
      await until(isRefused, "it takes nothing new");
      await unlock();
      expect((await inFlight).status).toBe(204);
    });
    expect(await server.exited).toBe(0);
  },
);

test("a certificate is renewed while it serves", async () => {
  const [KV_TLS_CERT, KV_TLS_KEY] = [join(dir, "cert"), join(dir, "key")];
  const install = (name: string) => {
    copyFileSync(certificates.file(name), KV_TLS_CERT);
    copyFileSync(certificates.keyFile(name), KV_TLS_KEY);
  };
  install("first");
  const server = await startServer({ DATABASE_URL, KV_TLS_CERT, KV_TLS_KEY }, DENO_SERVER);
  try {
    const tls = { ca: readFileSync(certificates.file("ca"), "utf8") };
    const url = freshKeyUrl(server.url);
    expect((await fetch(url, { method: "PUT", body: "v", tls })).status).toBe(204);
    install("second");
    await until(() => server.output().includes("certificate read"), "it is read");
    const onNew = () => fetch(url, { tls, headers: { Connection: "close" } }).catch(() => undefined);
    await until(async () => (await (await onNew())?.text()) === "v", "it serves again");
  } finally {
    await server.stop();
  }
  expect(await server.exited).toBe(0);
});

test.each([
  [{ KV_WORKERS: "2" }, /KV_WORKERS: must be 1 on Deno/],
  [{ PORT: new URL(targets.deno.url).port }, /in use/],
  [{ DATABASE_URL: "" }, /DATABASE_URL: must name/],
] as [Record<string, string>, RegExp][])("it refuses to start with %p and says why", async (environment, reason) => {
  const { output, exited } = launchServer({ DATABASE_URL, PORT: "0", ...environment }, DENO_SERVER);
  expect(await exited).toBe(1);
  expect(output()).toMatch(reason);
  expect(output()).not.toMatch(/\n\s+at /);
});
