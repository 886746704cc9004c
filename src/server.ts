// The server on Bun, over the database that DATABASE_URL names: migrations, then serving in one process or several, until
// a signal comes. `npm start` runs it over a cluster of its own.

import pino, { type Logger } from "pino";
import { bun } from "./bun.ts";
import type { Backend } from "./database/backend.ts";
import { Exchange, exchange } from "./exchange.ts";
import { requireFreePort } from "./port.ts";
import { Workers } from "./processes.ts";
import { openLog, prepareDatabase, readServerConfig, requireUsable, runProgram } from "./program.ts";
import { type Ending, type ServerConfig, serve } from "./serve.ts";
import { ToldByProcesses } from "./telemetry/processes.ts";

/** Given with a backend to the processes that KV_WORKERS asks for: they only serve. No variable, for those are users'. */
const WORKER_FLAG = "--worker";

const [flag, givenBackend] = process.argv.slice(2);
await runProgram((ending) => (flag === WORKER_FLAG ? work(givenBackend as Backend, ending) : main(ending)));

async function main(ending: Ending) {
  const config = readServerConfig();
  await requireUsable(config);
  const log = openLog(config);
  const backend = await prepareDatabase(config, log, ending.signal);
  if (config.KV_WORKERS > 1) await serveByWorkers(config, backend, log, ending);
  else await serve(bun, config, backend, log, ending, ({ url }) => log.info({ url }, "serving"));
}

async function serveByWorkers(config: ServerConfig, backend: Backend, log: Logger, ending: Ending) {
  // Again, because migrations take their time, and workers would silently share a port with another server's.
  await requireFreePort(config.KV_HOST, config.PORT);
  const workers = new Workers({
    count: config.KV_WORKERS,
    port: config.PORT,
    // Nothing of the configuration, for every user of the machine could read it here, and the URL holds a password.
    command: [process.execPath, import.meta.path, WORKER_FLAG, backend],
    environment: process.env,
    drainMs: config.KV_LEAVE_MS + config.KV_DRAIN_MS,
    exchange: new Exchange(new ToldByProcesses()),
    log,
  });
  try {
    const url = await Promise.race([workers.start(), ending.begun.then(() => undefined)]);
    if (url) log.info({ url, workers: config.KV_WORKERS }, "serving");
    await ending.begun;
  } finally {
    await workers.stop();
  }
}

/** A worker: what is done once its parent has done. */
async function work(backend: Backend, ending: Ending) {
  const config = readServerConfig();
  if (!process.connected) throw new Error("Workers are started by KV_WORKERS, not by hand.");
  const log = pino({ level: config.LOG_LEVEL, base: { worker: process.pid } });
  await serve(bun, config, backend, log, ending, (serving) => process.send?.(serving), exchange);
}
