// HTTPS by the server itself, with a certificate that is renewed while it serves.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { launchServer, startServer } from "../vitess/run/server-process.ts";
import { Certificates } from "./certificates.ts";
import { freshKeyUrl, targets, until } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;

const dir = mkdtempSync(join(tmpdir(), "vitess-kv-https-"));
const certificates = new Certificates(dir);
const [KV_TLS_CERT, KV_TLS_KEY] = [join(dir, "cert"), join(dir, "key")];

beforeAll(async () => {
  await certificates.makeAuthority("ca");
  await certificates.make("first", "DNS:localhost,IP:127.0.0.1");
  await certificates.make("second", "DNS:localhost,IP:127.0.0.1");
});
afterAll(() => rmSync(dir, { recursive: true }));

function install(name: string) {
  copyFileSync(certificates.file(name), KV_TLS_CERT);
  copyFileSync(certificates.keyFile(name), KV_TLS_KEY);
}

const call = (url: string, init: RequestInit = {}) =>
  fetch(url, { ...init, tls: { ca: readFileSync(certificates.file("ca"), "utf8") } });

/** The name of the certificate that a new connection is shown; verified. Rejected where the connection is reset. */
function shownBy(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port: Number(new URL(url).port), host: "127.0.0.1", ca: readFileSync(certificates.file("ca")) },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      },
    );
    socket.on("error", reject);
  });
}

test.each(["1", "2"])("a certificate is renewed while %s processes serve, and each call is answered", async (count) => {
  install("first");
  const server = await startServer({ DATABASE_URL, KV_TLS_CERT, KV_TLS_KEY, KV_WORKERS: count });
  try {
    expect(server.url).toStartWith("https://");
    const url = freshKeyUrl(server.url);
    expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
    expect(await shownBy(server.url)).toBe("first");

    // Half of a renewal, and none: what was there before stays.
    copyFileSync(certificates.file("second"), KV_TLS_CERT);
    await until(() => server.output().includes("stays as it was"), "the log says that it can't be used");
    writeFileSync(KV_TLS_CERT, "");
    expect(await shownBy(server.url)).toBe("first");
    expect(await (await call(url)).text()).toBe("v");

    install("second");
    // What is just being opened when the certificate changes may be reset.
    const renewed = async () => {
      const shown = await Promise.all(Array.from({ length: 20 }, () => shownBy(server.url).catch(() => "reset")));
      return shown.every((name) => name === "second");
    };
    await until(renewed, "every process shows the new one");
    // Over a connection that was opened before, and over a new one.
    expect(await (await call(url)).text()).toBe("v");
    expect(await (await call(url, { headers: { Connection: "close" } })).text()).toBe("v");
  } finally {
    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
  }
  expect(server.output()).not.toContain("PRIVATE");
});

test.each([
  ["a file that is not there", () => rmSync(KV_TLS_CERT), "KV_TLS_CERT: ENOENT"],
  [
    "a key of another certificate",
    () => copyFileSync(certificates.keyFile("second"), KV_TLS_KEY),
    "KEY_VALUES_MISMATCH",
  ],
  ["what is no certificate", () => writeFileSync(KV_TLS_CERT, "text"), "KV_TLS_CERT, KV_TLS_KEY: not a certificate"],
] as const)("a server does not start with %s", async (_, spoil, sentence) => {
  install("first");
  spoil();
  const { output, exited } = launchServer({ DATABASE_URL, PORT: "0", KV_TLS_CERT, KV_TLS_KEY });
  expect(await exited).toBe(1);
  expect(output()).toContain(sentence);
});
