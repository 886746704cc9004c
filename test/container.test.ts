// As in a container, where whatever is started first has the process id 1: it gets the signals that end the container, all
// orphans are its children, and when it ends everything else is killed.

import { afterAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../vitess/run/folder.ts";
import { clear, processesIn } from "./cluster-cli.ts";
import { CONTAINER_DIR } from "./folders.ts";
import { freePort } from "./free-port.ts";
import { Connection, isLast } from "./robustness/connection.ts";
import { call, targets, until } from "./targets.ts";

const UNSHARE = ["--pid", "--fork", "--mount-proc", "--"];
const isAllowed = spawnSync("unshare", [...UNSHARE, "true"]).status === 0;
const CLIENTS = 20;
const TIMEOUT_MS = 15_000;

/** Runs a command in a namespace of process ids; `terminate` sends SIGTERM to it as a container engine does. */
function runFirst([file, ...args]: string[], environment: Record<string, string>) {
  const outer = spawn("unshare", [...UNSHARE, file as string, ...args], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [outer.stdout, outer.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
  }
  const first = () => Number(readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, "utf8"));
  const exited = once(outer, "exit").then(([code]) => code as number | null);
  return { output: () => output, exited, terminate: () => process.kill(first(), "SIGTERM") };
}

/** Writes one key after the other, until an answer says that it is the last. Returns what was acknowledged. */
async function write(port: number, client: number): Promise<string[]> {
  const connection = new Connection(port);
  const written: string[] = [];
  for (;;) {
    const path = `/v1/kv/container-${port}/${client}-${written.length}`;
    const answer = await connection.call({ method: "PUT", path, body: path }, TIMEOUT_MS);
    expect(answer.status).toBe(204);
    written.push(path);
    if (isLast(answer)) return written;
  }
}

describe.skipIf(!isAllowed)("as the first process (where unshare is allowed)", () => {
  test.each([
    ["npm start", "1"],
    ["npm start", "2"],
    ["bun src/server.ts", "1"],
    ["bun src/server.ts", "2"],
  ])("%s with KV_WORKERS=%s finishes at SIGTERM, under load, what it has taken", async (command, KV_WORKERS) => {
    const port = await freePort();
    const environment = {
      DATABASE_URL: targets.vitess.databaseUrl,
      PORT: String(port),
      KV_WORKERS,
      KV_LEAVE_MS: "1000",
    };
    const [file = "", ...args] = command.split(" ");
    const first = runFirst([file === "bun" ? process.execPath : file, ...args], environment);
    await until(() => first.output().includes('"serving"'), "it serves");
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, client) => write(port, client)));
    await sleep(500);
    first.terminate();
    const written = (await clients).flat();
    expect(await first.exited).toBe(0);
    expect(first.output()).toContain('"stopped"');
    expect(written.length).toBeGreaterThan(CLIENTS);
    for (const path of written) expect(await (await call(targets.vitess.url + path)).text()).toBe(path);
  });

  describe("npm start with a cluster", () => {
    afterAll(() => clear(CONTAINER_DIR));

    test("ends at SIGTERM while MySQL is initialized, and leaves nothing", async () => {
      await clear(CONTAINER_DIR);
      Cluster.open({ dataDir: CONTAINER_DIR, shards: 1, tablets: 2, portBase: 18900 }).save();
      const first = runFirst(["npm", "start"], { KV_DATA_DIR: CONTAINER_DIR, PORT: "0" });
      await until(() => processesIn(CONTAINER_DIR).length >= 3, "it starts processes");
      await sleep(500);
      first.terminate();
      // What was stopped are zombies for npm, which does not ask for them.
      expect(await first.exited).toBe(130);
      expect(processesIn(CONTAINER_DIR)).toEqual([]);
    });
  });
});
