// `npm run containers`: builds the images, brings vitess/compose.yaml up with podman-compose, stores keys, kills the
// container of a primary, stops a server, and takes everything down, whatever happens. Prints how long each step took.

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { newToken } from "../../src/auth/tokens.ts";
import { interruption } from "../../src/signals.ts";
import { PODMAN_DIR } from "../folders.ts";
import { freePort } from "../free-port.ts";
import { makeBases, mirror } from "./bases.ts";
import { Podman } from "./podman.ts";
import { follows, Store, secondsUntil, tabletRoles } from "./store.ts";

const FILE = join(import.meta.dirname, "../../vitess/compose.yaml");
const NEEDED = ["podman", "podman-compose", "runc", "debootstrap", "npm"];
/** Enough for every shard to have some. */
const KEYS = Array.from({ length: 32 }, (_, i) => `key-${i}`);
const START_SECONDS = 300;
const RECOVERY_SECONDS = 120;

const stop = interruption().signal;
const missing = NEEDED.filter((program) => !Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin` }));
if (missing.length > 0) {
  console.log(
    `Skipped, without ${missing.join(", ")}: apt-get install podman podman-compose runc netavark aardvark-dns debootstrap`,
  );
  process.exit(0);
}
if (process.getuid?.() !== 0) {
  console.log("Skipped: containers with limits of memory and a network of their own need root here.");
  process.exit(0);
}

const { token, entry } = newToken(["read", "write"], "*");
const port = await freePort();
const variables = { KV_PASSWORD: "containers", KV_TOKENS: entry, KV_PORT: String(port) };
const store = new Store(port, token);

rmSync(join(PODMAN_DIR, "bases"), { recursive: true, force: true });
const podman = new Podman(PODMAN_DIR);
let code = 0;
try {
  await podman.clear();
  await timed("stand-ins for base images", () => makeBases(podman, PODMAN_DIR, stop));
  await timed("images of the cluster and the server", () =>
    podman.compose(FILE, [...buildArguments(), "build"], variables, stop),
  );
  await tellSizes();
  await timed("from nothing to the first key", firstKey);
  await inspectServer();
  await losePrimary();
  await stopServer();
} catch (error) {
  code = stop.aborted ? 130 : 1;
  if (!stop.aborted) console.error(error instanceof Error ? error.message : error);
}
await timed("everything down", async () => {
  await podman.down(FILE, variables).catch((error) => console.error(error.message));
  await podman.remove();
});
process.exit(code);

/** What this machine needs to reach npm's registry and Debian's mirror: it is mounted, and gets into no image. */
function buildArguments(): string[] {
  const files = [
    `${homedir()}/.npmrc:/root/.npmrc:ro`,
    "/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro",
  ];
  const args = [
    "--network=host",
    `--build-arg=DEBIAN=${mirror()}`,
    ...files.filter((file) => existsSync(file.split(":")[0] as string)).map((file) => `--volume=${file}`),
  ];
  return [`--podman-build-args=${args.join(" ")}`];
}

async function tellSizes() {
  for (const line of (await podman.podman(["images", "--format", "{{.Repository}} {{.Size}}"])).trim().split("\n")) {
    if (line.includes("vitess-kv")) console.log(`  ${line}`);
  }
}

async function firstKey() {
  await podman.compose(FILE, ["up", "--detach"], variables, stop);
  await secondsUntil(
    "the first key is stored",
    START_SECONDS,
    async () => (await store.put("first", "1")) === 204,
    stop,
  );
  await secondsUntil("every key is stored", START_SECONDS, allStored, stop);
}

async function allStored(): Promise<boolean> {
  const statuses = await Promise.all(KEYS.map((key) => store.put(key, `value of ${key}`)));
  return statuses.every((status) => status === 204);
}

async function allRead(): Promise<boolean> {
  const values = await Promise.all(KEYS.map((key) => store.get(key)));
  return values.every((value, i) => value === `value of ${KEYS[i]}`);
}

/** What the image promises. podman runs health checks by timers of systemd, so without one it has to be asked. */
async function inspectServer() {
  const server = await podman.container("server-a");
  await podman.podman(["healthcheck", "run", server]);
  const uid = await podman.podman(["exec", server, "bun", "--eval", "console.log(process.getuid())"]);
  assert.equal(uid.trim(), "65532");
  const write = 'require("fs").writeFileSync("/app/x", "")';
  await assert.rejects(podman.podman(["exec", server, "bun", "--eval", write]), /EROFS|read-only/i);
  await assert.rejects(podman.podman(["exec", server, "sh", "-c", "true"]), /not found/);
  console.log("  a server: healthy, not root, read-only, without a shell");
}

async function losePrimary() {
  const primaries = (await tabletRoles(podman)).filter(({ isPrimary }) => isPrimary);
  const [lost] = primaries;
  assert(lost);
  const container = await podman.container(lost.service);
  const pid = Number(await podman.podman(["inspect", "--format", "{{.State.Pid}}", container]));
  process.kill(pid, "SIGKILL");
  await timed(
    `the container of ${lost.shard}'s primary killed, until every key is read and written again`,
    async () => {
      // What was acknowledged before is there, before anything is written again.
      await secondsUntil("every key is read", RECOVERY_SECONDS, allRead, stop);
      await secondsUntil("every key is stored again", RECOVERY_SECONDS, allStored, stop);
    },
  );
  await timed("until it follows another primary", () =>
    secondsUntil("the killed tablet follows", RECOVERY_SECONDS, () => follows(podman, lost), stop),
  );
  await timed("its container stopped, vttablet before mysqld", () =>
    podman.podman(["stop", "--time", "60", container]),
  );
  assert.equal(await exitCode(container), "0");
}

/** The first process of its container ends in order: no call through the balancer fails. */
async function stopServer() {
  const server = await podman.container("server-b");
  let isOver = false;
  let calls = 0;
  let failed = 0;
  const callers = Promise.all(
    KEYS.map(async (key) => {
      for (let n = 0; !isOver; n++) {
        if ((await store.put(key, String(n))) !== 204) failed += 1;
        if ((await store.get(key)) !== String(n)) failed += 1;
        calls += 2;
      }
    }),
  );
  await timed("a server stopped under load, in order", () => podman.podman(["stop", "--time", "40", server]));
  isOver = true;
  await callers;
  assert.equal(failed, 0, `${failed} of ${calls} calls failed`);
  assert.equal(await exitCode(server), "0");
  console.log(`  none of ${calls} calls failed`);
}

async function exitCode(container: string): Promise<string> {
  return (await podman.podman(["inspect", "--format", "{{.State.ExitCode}}", container])).trim();
}

async function timed(title: string, work: () => Promise<unknown>) {
  const begun = performance.now();
  await work();
  console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${title}`);
}
