// `npm run worker`: the Worker on this machine, in Cloudflare's own runtime, beside a running cluster or DATABASE_URL.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import pino, { type Logger } from "pino";
import { readTokens } from "../../src/auth/source.ts";
import { type Config, isAnonymous, readConfig, requireForWorker, VARIABLES } from "../../src/config.ts";
import { inspectBackend } from "../../src/database/backend.ts";
import { migrate } from "../../src/database/migrate.ts";
import { packetBytes, requireDatabase } from "../../src/database/session.ts";
import { readUrl, urlsOf } from "../../src/database/url.ts";
import { requireFreePort } from "../../src/port.ts";
import { interruption, outliveReaders } from "../../src/signals.ts";
import { ClusterProblem } from "../support/problem.ts";
import { run, startTime } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import { clusterExists, clusterStatus, defaultDataDir } from "./cluster.ts";

const PROJECT = join(import.meta.dirname, "../..");
/** Beside `npm start`. */
const PORT = "8788";
/** wrangler's own line for a request, which holds its key. */
const REQUEST_LINE = /^\[wrangler:info\] [A-Z]+ \//;
/** workerd's complaint of a request that it can't read; what follows is a piece of that, such as its URL or a chunk. */
const QUOTATION = /(\bkj\/\S+: failed: .*?); \w[\w.()]* = .*/;
const READY_LINE = /^\[wrangler:info\] Ready on (\S+)/;

/**
 * Run by wrangler first. It ends with this process, even if that is killed. And it goes on where its stand-in for
 * Hyperdrive leaves the error of a socket uncaught: as soon as the database refuses a connection, or either side breaks
 * one off.
 */
const PRELOAD = `
  const { emit, ppid } = process;
  setInterval(() => process.ppid === ppid || process.kill(process.pid, "SIGTERM"), 1000).unref();
  const survived = ["ECONNREFUSED", "ECONNRESET", "EPIPE"];
  process.emit = (event, ...args) =>
    (event === "uncaughtException" && survived.includes(args[0]?.code)) || emit.call(process, event, ...args);
`;

/** Of an edge: wrangler wants to know of one all the same, and connects to it only when it is asked. */
const NO_DATABASE = "mysql://none:none@127.0.0.1:1/none";

const stop = interruption();
outliveReaders();

await main().catch((error) => {
  if (stop.signal.aborted && error.name === "AbortError") process.exit(0);
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

async function main() {
  const config = readConfig({ ...process.env, PORT: process.env.PORT || PORT });
  // What the Worker would refuse, it can't say here as clearly.
  requireForWorker(config);
  if (!isAnonymous(config)) await readTokens({ inline: config.KV_TOKENS });
  await requireFreePort(config.KV_HOST, config.PORT);
  const log = pino({ level: config.LOG_LEVEL, base: null });
  const databaseUrl = config.KV_FORWARD_URL ? NO_DATABASE : await prepareDatabase(config, log);
  const scratch = makeScratchDir();
  try {
    await run(wrangler(config, databaseUrl, scratch), {
      signal: stop.signal,
      keepUser: true,
      onLine: (line) => {
        const [, url] = READY_LINE.exec(line) ?? [];
        if (url) log.info({ url }, "serving");
        else if (!REQUEST_LINE.test(line)) console.log(line.replace(QUOTATION, "$1"));
      },
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Where the database is, once the Worker can use it. */
async function prepareDatabase(config: Config, log: Logger): Promise<string> {
  const databaseUrl = config.DATABASE_URL ?? (await clusterUrl(resolve(config.KV_DATA_DIR ?? defaultDataDir())));
  requirePlainTcp(databaseUrl);
  const warnings = await step("bring the schema up to date", async () => {
    const backend = await inspectBackend(databaseUrl);
    // Each call is a batch of one.
    const largest = packetBytes({ valueBytes: config.KV_MAX_VALUE_BYTES, rows: 1 });
    const warnings = await requireDatabase(databaseUrl, backend, { packetBytes: largest, untold: true });
    await migrate(databaseUrl, backend, stop.signal);
    return warnings;
  });
  for (const warning of warnings) log.warn(warning);
  return databaseUrl;
}

/** What stands for Hyperdrive here knows neither: it would leave the encryption out. Hyperdrive itself always encrypts. */
function requirePlainTcp(databaseUrl: string) {
  const { socketPath, tls } = readUrl(urlsOf(databaseUrl)[0]);
  if (socketPath)
    throw new ClusterProblem("DATABASE_URL: 'npm run worker' can't use a socketPath. Name host and port.");
  if (tls) throw new ClusterProblem("DATABASE_URL: 'npm run worker' has no TLS to the database; 'npm start' has.");
}

/** Of one vtgate: Hyperdrive, like what stands for it here, connects to one address. */
async function clusterUrl(dataDir: string): Promise<string> {
  const status = clusterExists(dataDir) ? await clusterStatus(dataDir) : undefined;
  const vtgate = status?.vtgates.find(({ answers }) => answers);
  if (!vtgate) {
    throw new ClusterProblem(
      `No cluster runs in ${dataDir}. Start one with 'npm run cluster -- up', or set DATABASE_URL.`,
    );
  }
  return vtgate.url;
}

/** For what wrangler reads and writes beside the project: variables, its log, settings and temporary files. */
function makeScratchDir(): string {
  const parent = join(PROJECT, ".wrangler/dev");
  mkdirSync(parent, { recursive: true });
  // One that was killed has left its own.
  for (const pid of readdirSync(parent)) {
    if (startTime(Number(pid)) === undefined) rmSync(join(parent, pid), { recursive: true });
  }
  const dir = join(parent, String(process.pid));
  mkdirSync(dir, { mode: 0o700 });
  return dir;
}

/** The environment's variables as wrangler reads them: a file, for arguments can be read by every user. */
function writeVariables(file: string, config: Config) {
  const environment: Record<string, string | undefined> = {
    ...process.env,
    // A Worker can't know that only this machine reaches it.
    ...(isAnonymous(config) && { KV_ALLOW_ANONYMOUS: "true" }),
  };
  const given = VARIABLES.filter(
    (name) => !name.startsWith("DATABASE_") && !name.startsWith("KV_DATABASE_") && environment[name] !== undefined,
  );
  const lines = given.map((name) => `${name}='${environment[name]?.replaceAll("$", "\\$")}'\n`);
  writeFileSync(file, lines.join(""), { mode: 0o600 });
}

function wrangler(config: Config, databaseUrl: string, scratch: string) {
  const variables = join(scratch, "variables");
  writeVariables(variables, config);
  return {
    file: "node",
    args: [
      "--no-warnings",
      `--import=data:text/javascript,${encodeURIComponent(PRELOAD)}`,
      fileURLToPath(import.meta.resolve("wrangler")),
      "dev",
      `--ip=${config.KV_HOST}`,
      `--port=${config.PORT}`,
      "--inspector-port=0",
      "--show-interactive-dev-session=false",
      `--persist-to=${scratch}`,
      `--env-file=${variables}`,
    ],
    cwd: PROJECT,
    env: {
      // Hyperdrive has one address, as of something in front of the vtgates.
      CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE: urlsOf(databaseUrl)[0],
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_SEND_ERROR_REPORTS: "false",
      WRANGLER_HIDE_BANNER: "true",
      X_LOCAL_EXPLORER: "false",
      XDG_CONFIG_HOME: scratch,
      TMPDIR: scratch,
    },
  };
}
