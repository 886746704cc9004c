// Several processes on one port: they answer together, the dead are replaced, and none outlives the server.

import { describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import pino from "pino";
import { readConfig } from "../src/config.ts";
import { Exchange } from "../src/exchange.ts";
import { Workers } from "../src/processes.ts";
import { launchServer, type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { type Scraped, scrape } from "./scrape.ts";
import { call, freshKeyUrl, targets, until, whileLocked } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;
const COUNT = 3;

/** The environment of a server, and its processes: all that have inherited this, whoever their parent is by now. */
function marked(environment: Record<string, string>) {
  const mark = randomUUID();
  const processes = () =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && has(name, mark))
      .map(Number);
  return { environment: { ...environment, KV_TEST_MARK: mark }, processes };
}

function has(pid: string, mark: string) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark);
  } catch {
    return false; // ended meanwhile
  }
}

function kill(pids: number[]) {
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

interface Running extends RunningServer {
  workers: () => number[];
  processes: () => number[];
  /** Its log's entries with this message. */
  logged: (msg: string) => LogEntry[];
}

interface LogEntry {
  msg: string;
  level: number;
  worker?: number;
  request_id?: string;
  workers?: number;
  replace_ms?: number;
  route?: string;
  reason?: string;
}

/** Runs `work` with a server of several workers on a free port, and sees to it that nothing of it is left. */
async function withWorkers(environment: Record<string, string>, work: (server: Running) => Promise<void>) {
  const { environment: marks, processes } = marked({ DATABASE_URL, KV_WORKERS: String(COUNT), ...environment });
  try {
    const server = await startServer(marks);
    await work({
      ...server,
      processes,
      workers: () => processes().filter((pid) => pid !== server.pid),
      logged: (msg) => entries(server.output()).filter((entry) => entry.msg === msg),
    });
    await server.stop();
    expect(processes()).toEqual([]);
  } finally {
    kill(processes());
  }
}

/** The last line may not be complete yet; progress is shown between the entries. */
function entries(output: string): LogEntry[] {
  const lines = output.slice(0, output.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

/** A connection of its own for each call: the system chooses a worker for each connection. */
const onNewConnection = (url: string, init: RequestInit = {}) =>
  call(url, { ...init, headers: { Connection: "close" } });

/** Which worker a call was answered by, as its log says (on level debug). */
async function answeredBy(server: Running, answer: Response): Promise<number> {
  const id = answer.headers.get("X-Request-Id");
  const request = () => server.logged("request").find((entry) => entry.request_id === id);
  await until(() => request() !== undefined, "the log has the request");
  return request()?.worker as number;
}

/** Reads the key until each of the workers has answered. */
async function readThroughAll(server: Running, url: string, expected: string) {
  const seen = new Set<number>();
  const pids = server.workers();
  await until(async () => {
    const answer = await onNewConnection(url);
    expect([answer.status, await answer.text()]).toEqual([200, expected]);
    seen.add(await answeredBy(server, answer));
    return pids.every((pid) => seen.has(pid));
  }, "every worker has answered");
}

async function untilRefused(server: Running) {
  const refused = () =>
    onNewConnection(`${server.url}/healthz`).then(
      () => false,
      () => true,
    );
  await until(refused, "no worker takes new connections");
}

test("all answer on one port, and each sees what was written through the others", async () => {
  await withWorkers({ LOG_LEVEL: "debug" }, async (server) => {
    expect(server.workers()).toHaveLength(COUNT);
    expect(server.logged("serving")).toMatchObject([{ workers: COUNT }]);
    const url = freshKeyUrl(server.url);
    for (const body of ["first", "second"]) {
      expect((await onNewConnection(url, { method: "PUT", body })).status).toBe(204);
      await readThroughAll(server, url, body);
    }
  });
});

test("a killed worker is replaced, and the others go on meanwhile", async () => {
  await withWorkers({ LOG_LEVEL: "debug" }, async (server) => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    const [victim] = server.workers() as [number];
    kill([victim]);
    // Its sockets close at the very end; until then a new connection may be given to it, and is reset.
    await until(() => server.logged("worker ended unexpectedly").length > 0, "it has ended");
    for (let calls = 0; calls < 20; calls++) expect(await (await onNewConnection(url)).text()).toBe("v");
    await until(() => server.logged("worker replaced").length > 0, "it is replaced");
    expect(server.workers()).toHaveLength(COUNT);
    await readThroughAll(server, url, "v");
    expect(server.logged("worker ended unexpectedly")).toMatchObject([
      { level: 50, worker: victim, reason: "SIGKILL" },
    ]);
    expect(server.logged("serving")).toHaveLength(1);
  });
});

test("metrics of any of them are those of all, also of one that has ended or hangs", async () => {
  await withWorkers({ LOG_LEVEL: "debug" }, async (server) => {
    const url = freshKeyUrl(server.url);
    await call(url, { method: "PUT", body: "v" });
    await readThroughAll(server, url, "v");
    const metrics = () => scrape(server.url, { headers: { Connection: "close" } });
    const reads = (all: Scraped) => all.sum("kv_http_requests_total", { route: "/v1/kv/:ns/:key", method: "GET" });
    const first = await metrics();
    expect(first.sum("kv_processes")).toBe(COUNT);
    expect(reads(first)).toBe(server.logged("request").filter(({ route }) => route === "/v1/kv/:ns/:key").length - 1);
    for (let asked = 0; asked < 10; asked++) expect(reads(await metrics())).toBe(reads(first));
    const [victim, hanging] = server.workers() as [number, number];
    kill([victim]);
    await until(() => server.logged("worker replaced").length > 0, "it is replaced");
    await until(async () => (await metrics()).sum("kv_processes") === COUNT, "the new one tells too");
    expect(reads(await metrics())).toBe(reads(first));
    process.kill(hanging, "SIGSTOP");
    // A connection that the system gives to it is not answered.
    const told = async () => scrape(server.url, { signal: AbortSignal.timeout(2_500) }).catch(() => undefined);
    await until(async () => {
      const answer = await told();
      if (answer) expect(reads(answer)).toBe(reads(first));
      return answer !== undefined;
    }, "another answers for it");
    process.kill(hanging, "SIGCONT");
  });
});

test("workers that keep dying are replaced ever more slowly", async () => {
  await withWorkers({}, async (server) => {
    let [victim] = server.workers() as [number];
    for (let deaths = 1; deaths <= 3; deaths++) {
      kill([victim]);
      await until(() => server.logged("worker replaced").length === deaths, "it is replaced");
      victim = server.logged("worker replaced").at(-1)?.worker as number;
    }
    const delays = server.logged("worker ended unexpectedly").map((entry) => entry.replace_ms);
    expect(delays).toEqual([100, 200, 400]);
  });
});

describe("at the end", () => {
  /** Calls `end` while a write is in flight, and expects that the write is finished and nothing new is taken. */
  async function endDuringWrite(end: (server: Running) => void, exitCode: number | null) {
    await withWorkers({}, async (server) => {
      const url = freshKeyUrl(server.url);
      await call(url, { method: "PUT", body: "old" });
      await whileLocked(url, async (unlock, awaited) => {
        const inFlight = call(url, { method: "PUT", body: "new" });
        await awaited();
        end(server);
        await untilRefused(server);
        if (exitCode === 0) end(server); // a second time, which changes nothing
        await unlock();
        expect((await inFlight).status).toBe(204);
      });
      expect(await server.exited).toBe(exitCode);
      // A parent that was killed could not wait for its workers.
      if (exitCode === null) await until(() => server.processes().length === 0, "every worker has ended");
      expect(server.processes()).toEqual([]);
      expect(await (await call(url.replace(server.url, targets.vitess.url))).text()).toBe("new");
      expect(server.logged("worker ended unexpectedly")).toEqual([]);
    });
  }

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("on %s all finish what is in flight", (signal) =>
    endDuringWrite((server) => server.signal(signal), 0),
  );

  test("Ctrl-C, which a terminal sends to every process, does the same", () =>
    endDuringWrite((server) => {
      for (const pid of server.processes()) process.kill(pid, "SIGINT");
    }, 0));

  test("when their parent is killed, all finish what is in flight and end", () =>
    endDuringWrite((server) => kill([server.pid]), null));

  test("a worker that hangs is killed", async () => {
    await withWorkers({ KV_DRAIN_MS: "100" }, async (server) => {
      const [hanging] = server.workers() as [number];
      process.kill(hanging, "SIGSTOP");
      server.signal("SIGTERM");
      expect(await server.exited).toBe(0);
      expect(server.processes()).toEqual([]);
      expect(server.logged("worker does not end, and is killed")).toMatchObject([{ worker: hanging }]);
    });
  });

  test("Ctrl-C while they start leaves nothing behind", async () => {
    const { environment, processes } = marked({ DATABASE_URL, KV_WORKERS: String(COUNT), PORT: "0" });
    try {
      const { child, exited } = launchServer(environment);
      await until(() => processes().length > 1, "the first worker has been started");
      child.kill("SIGINT");
      expect(await exited).toBe(0);
      expect(processes()).toEqual([]);
    } finally {
      kill(processes());
    }
  });
});

describe("it refuses to start", () => {
  async function expectRefusal(environment: Record<string, string>, reason: RegExp) {
    const { environment: marks, processes } = marked({ DATABASE_URL, PORT: "0", ...environment });
    try {
      const { output, exited } = launchServer(marks);
      expect(await exited).toBe(1);
      expect(output()).toMatch(reason);
      expect(output()).not.toMatch(/\n\s+at /);
      expect(output()).not.toContain('"serving"');
      expect(processes()).toEqual([]);
    } finally {
      kill(processes());
    }
  }

  test.each(["0", "65", "1.5", "many"])("with KV_WORKERS=%j", (KV_WORKERS) =>
    expectRefusal({ KV_WORKERS }, /^KV_WORKERS: /),
  );

  test("where Linux does not spread the connections", () => {
    expect(() => readConfig({ KV_WORKERS: "2" }, "darwin")).toThrow(/^KV_WORKERS: .*Linux/);
    expect(readConfig({ KV_WORKERS: "1" }, "darwin").KV_WORKERS).toBe(1);
  });

  test.each(["1", "2"])("on a port that another server's workers share, with KV_WORKERS=%s", (KV_WORKERS) =>
    withWorkers({ KV_WORKERS: "2" }, ({ url }) => expectRefusal({ KV_WORKERS, PORT: new URL(url).port }, /in use/)),
  );

  test("when no worker can serve", () =>
    // An address for documentation, which no machine has.
    expectRefusal(
      { KV_WORKERS: "2", KV_HOST: "203.0.113.1", KV_ALLOW_ANONYMOUS: "true" },
      /EADDRNOTAVAIL.*\nA worker ended before it served/,
    ));

  test("when one of them can't serve", async () => {
    const { environment, processes } = marked({ ...(process.env as Record<string, string>) });
    const pickyWorker = `
      if (process.env.PORT !== "0") process.exit(3);
      process.on("disconnect", () => process.exit());
      process.send({ url: "http://127.0.0.1:1/", port: 1 });
    `;
    const workers = new Workers({
      count: 3,
      port: 0,
      command: [process.execPath, "-e", pickyWorker],
      environment,
      drainMs: 1_000,
      exchange: new Exchange({ told: () => {}, ended: () => {}, all: () => [] }),
      log: pino({ level: "silent" }),
    });
    try {
      await expect(workers.start()).rejects.toThrow("A worker ended before it served: exit code 3.");
      await workers.stop();
      expect(processes()).toEqual([]);
    } finally {
      kill(processes());
    }
  });
});
