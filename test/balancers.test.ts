// The balancers' configuration files in vitess/balancers: two servers behind HAProxy and behind nginx, both of Debian, one
// server restarted after the other under load.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installDebian } from "../vitess/install/debian.ts";
import { versionOnPath } from "../vitess/install/parts.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { freePort } from "./free-port.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

const FILES = join(import.meta.dirname, "../vitess/balancers");
const CALLERS = 16;
const PACKAGES = { haproxy: ["sbin/haproxy"], nginx: ["sbin/nginx"] };

interface Balancer {
  name: string;
  file: string;
  /** Its options, with its configuration in a folder that is its own. */
  args: (dir: string) => string[];
}
const BALANCERS: Balancer[] = [
  { name: "haproxy", file: "haproxy.cfg", args: (dir) => ["-db", "-f", join(dir, "haproxy.cfg")] },
  {
    name: "nginx",
    file: "nginx.conf",
    args: (dir) => ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", "stderr", "-g", "daemon off;"],
  },
];

let programs: Record<string, string>;
beforeAll(async () => {
  const onPath = { haproxy: versionOnPath("haproxy", /(\d+)\.(\d+)/)?.path, nginx: Bun.which("nginx") };
  const dir = onPath.haproxy && onPath.nginx ? "" : await installDebian(PACKAGES, new AbortController().signal);
  programs = { haproxy: onPath.haproxy ?? join(dir, "sbin/haproxy"), nginx: onPath.nginx ?? join(dir, "sbin/nginx") };
});

describe.each(BALANCERS)("behind $name", ({ name, file, args }) => {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-balancer-"));
  const servers: RunningServer[] = [];
  let ports: number[];
  let balancer: ChildProcess;
  let url: string;

  const start = (port: number) =>
    startServer({ DATABASE_URL: targets.vitess.databaseUrl, PORT: String(port), KV_LEAVE_MS: "2000" });

  beforeAll(async () => {
    ports = [await freePort(), await freePort(), await freePort()];
    const [front, a, b] = ports as [number, number, number];
    servers.push(await start(a), await start(b));
    // Debian's folders for them are not there where a package was only unpacked.
    const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${each};`);
    const text = readFileSync(join(FILES, file), "utf8").replace("http {", `http { ${folders.join(" ")}`);
    writeFileSync(
      join(dir, file),
      text.replaceAll("127.0.0.1:8080", `127.0.0.1:${front}`).replace(":8787", `:${a}`).replace(":8788", `:${b}`),
    );
    balancer = spawn(programs[name] as string, args(dir), { stdio: ["ignore", "ignore", "inherit"] });
    url = `http://127.0.0.1:${front}`;
    await until(async () => (await call(`${url}/readyz`).catch(() => undefined))?.status === 200, `${name} serves`);
  });
  afterAll(async () => {
    balancer.kill("SIGTERM");
    await once(balancer, "exit");
    for (const server of servers) await server.stop();
    rmSync(dir, { recursive: true });
  });

  test("a restart of one server after the other fails no call", async () => {
    const wrong: string[] = [];
    let calls = 0;
    let isOver = false;
    const callers = Array.from({ length: CALLERS }, async (_, caller) => {
      const key = freshKeyUrl(url, `balanced-${caller}`);
      for (let n = 0; !isOver; n++) {
        const put = await call(key, { method: "PUT", body: String(n) }).catch(String);
        const got = await call(key).catch(String);
        calls += 2;
        if (typeof put === "string" || put.status !== 204)
          wrong.push(`PUT: ${typeof put === "string" ? put : put.status}`);
        if (typeof got === "string") wrong.push(`GET: ${got}`);
        else if ((await got.text()) !== String(n)) wrong.push(`GET: ${got.status}, not what was put`);
      }
    });
    for (const i of [0, 1]) {
      await sleep(1_000);
      await servers[i]?.stop();
      servers[i] = await start(ports[i + 1] as number);
      // Until the balancer has noticed.
      await sleep(2_000);
    }
    isOver = true;
    await Promise.all(callers);
    expect(wrong).toEqual([]);
    expect(calls).toBeGreaterThan(CALLERS);
  });

  test("a key arrives as it was sent", async () => {
    // nginx refuses a zero byte, escaped or not.
    for (const key of ["a%2Fb", "%01%FF", "a%5Cb", "%2e%2e%2Fc", "a%20b", "x%25y"]) {
      const at = `${url}/v1/kv/balanced/${key}`;
      expect((await call(at, { method: "PUT", body: key })).status).toBe(204);
      expect(await (await call(at.replace(url, targets.vitess.url))).text()).toBe(key);
    }
  });
});
