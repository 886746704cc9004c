// Slices: four servers in two of them behind HAProxy, by the configuration file in vitess/balancers.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installDebian } from "../vitess/install/debian.ts";
import { versionOnPath } from "../vitess/install/parts.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { freePort } from "./free-port.ts";
import { type Way, wayTo } from "./proxy.ts";
import { call, targets, until } from "./targets.ts";
import { written, writtenAfter } from "./written.ts";

const FILE = join(import.meta.dirname, "../vitess/balancers/haproxy-slices.cfg");
const NAMESPACE = `slices${Date.now()}`;
/** Together with what else is sent meanwhile less than the 256 requests that Bun has under way at once. */
const KEYS = 200;
/** How often in a row a look at the sockets has to find the same. */
const LOOKS = 10;

const dir = mkdtempSync(join(tmpdir(), "vitess-kv-slices-"));
const servers: RunningServer[] = [];
let way: Way;
let balancer: ChildProcess;
let front: number;

beforeAll(async () => {
  way = await wayTo(targets.vitess.databaseUrl);
  const environment = { DATABASE_URL: way.url, KV_SWEEP: "false", KV_DEADLINE_MS: "60000" };
  for (let i = 0; i < 4; i++) servers.push(await startServer(environment));
  front = await freePort();
  let text = readFileSync(FILE, "utf8").replace(":8080", `:${front}`);
  for (const [i, { url }] of servers.entries()) text = text.replaceAll(`:${8787 + i}`, `:${new URL(url).port}`);
  // Of a slow machine, no server is taken for one that is down.
  text = text.replace("fall 1", "fall 20");
  text = text.replace(/^backend .*/gm, "$&\n  http-response set-header X-Slice %[be_name]");
  writeFileSync(join(dir, "haproxy.cfg"), text);
  const onPath = versionOnPath("haproxy", /(\d+)\.(\d+)/)?.path;
  const program =
    onPath ?? join(await installDebian({ haproxy: ["sbin/haproxy"] }, new AbortController().signal), "sbin/haproxy");
  balancer = spawn(program, ["-db", "-f", join(dir, "haproxy.cfg")], { stdio: ["ignore", "ignore", "inherit"] });
  await until(async () => (await call(`${balanced()}/readyz`).catch(() => undefined))?.status === 200, "it serves");
});
afterAll(async () => {
  balancer?.kill();
  for (const server of servers) await server.stop();
  await way?.close();
  rmSync(dir, { recursive: true });
});

const balanced = () => `http://127.0.0.1:${front}`;
const keyUrl = (base: string, key: string) => `${base}/v1/kv/${NAMESPACE}/${key}`;
/** On a connection of its own: those that are kept open would be mistaken for others under way. */
const put = (url: string) => call(url, { method: "PUT", body: "v", headers: { Connection: "close" } });

/** The slice that has the shard of a key, percent-encoded. */
function sliceOf(key: string): string {
  const bytes = key.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return (Bun.hash.xxHash64(Buffer.from(`${NAMESPACE}/${bytes}`, "latin1")) & 255n) < 128n ? "slice_a" : "slice_b";
}

test("all calls on a key go to the slice that has its shard, however the key is escaped", async () => {
  const keys = ["%61", "a", "b%2Fc", "%FF%FE", "caf%C3%A9", "a+b", "a%20b", "%25", "a%5Cb", "k".repeat(512)];
  for (const key of keys) {
    const url = keyUrl(balanced(), key);
    const answers = [await put(url), await call(`${url}?consistency=eventual`), await call(`${url}/ttl`)];
    expect([key, ...answers.map(({ headers }) => headers.get("X-Slice"))]).toEqual([
      key,
      ...Array(3).fill(sliceOf(key)),
    ]);
  }
  // HAProxy can't unescape a zero byte.
  for (const path of ["/%00", "", "?limit=1"]) {
    const answer = await call(`${balanced()}/v1/kv/${NAMESPACE}${path}`);
    expect([path, answer.headers.get("X-Slice")]).toEqual([path, "any"]);
  }
});

test("statements carry at least twice the rows that they carry without slices", async () => {
  const plain = await rowsPerStatement("plain", (i) => (servers[i % 4] as RunningServer).url);
  const sliced = await rowsPerStatement("sliced", () => balanced());
  expect(plain).toBe(KEYS / 8);
  expect(sliced).toBeGreaterThanOrEqual(2 * plain);
});

test("any server answers any key where a slice has no server left", async () => {
  const key = Array.from({ length: 100 }, (_, i) => `left-${i}`).find((each) => sliceOf(each) === "slice_b") as string;
  const url = keyUrl(balanced(), key);
  await put(url);
  await Promise.all(servers.splice(2).map((server) => server.stop()));
  await until(async () => (await call(url)).status === 200, "the other slice has taken over");
  expect((await put(url)).status).toBe(204);
  expect(await (await call(url)).text()).toBe("v");
});

/** With as many calls waiting, each for the statement before: as under load, but whatever the machine's speed is. */
async function rowsPerStatement(name: string, baseOf: (i: number) => string): Promise<number> {
  const release = way.hold("INSERT INTO entries");
  // In every server one statement for each shard that is not answered, so that what comes later gathers behind it.
  const start = await written();
  const first = servers.flatMap(({ url }, i) =>
    ["slice_a", "slice_b"].map((slice) => {
      const names = Array.from({ length: 100 }, (_, n) => `${name}-first-${i}-${n}`);
      return put(keyUrl(url, names.find((each) => sliceOf(each) === slice) as string));
    }),
  );
  const before = await writtenAfter(start, first.length);
  const puts = Array.from({ length: KEYS }, (_, i) => put(keyUrl(baseOf(i), `${name}-${i}`)));
  let looks = 0;
  await until(() => {
    looks = areReceived(KEYS + first.length) ? looks + 1 : 0;
    return looks >= LOOKS;
  }, "the servers have all calls");
  release();
  for (const answer of await Promise.all([...first, ...puts])) expect(answer.status).toBe(204);
  const after = await writtenAfter(before, KEYS);
  return KEYS / (after.statements - before.statements);
}

/** Whether the servers have so many connections, and nothing more to read from them. */
function areReceived(connections: number): boolean {
  const ports = new Set([front, ...servers.map(({ url }) => Number(new URL(url).port))]);
  const sockets = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = ""]) => ports.has(Number.parseInt(local.split(":")[1] ?? "", 16)));
  const isRead = sockets.every(([, , , , queues]) => queues?.endsWith(":00000000"));
  const open = sockets.filter(
    ([, local, , state]) => state === "01" && Number.parseInt(local?.split(":")[1] ?? "", 16) !== front,
  );
  return isRead && open.length >= connections;
}
