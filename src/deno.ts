// The server on Deno, in one process: as on Bun otherwise.

import xxhash from "xxhash-wasm";
import { openLog, prepareDatabase, readServerConfig, requireUsable, runProgram } from "./program.ts";
import type { Runtime } from "./runtime.ts";
import { serve } from "./serve.ts";

const { h64Raw } = await xxhash();

const deno: Runtime = {
  hash: (key) => h64Raw(key),
  urlsAsSent: true,
  open({ fetch, pem, hostname, port, reusePort }) {
    const closing = new AbortController();
    const options = { hostname, port, reusePort, signal: closing.signal, onListen: () => {} };
    const server = Deno.serve({ ...options, ...(pem && { cert: pem, key: pem }) }, fetch);
    let isOpen = true;
    server.finished.then(() => {
      isOpen = false;
    });
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return {
      url: `${pem ? "https" : "http"}://${host}:${server.addr.port}/`,
      port: server.addr.port,
      stop: (closeConnections) => {
        if (!closeConnections) return server.shutdown();
        if (isOpen) closing.abort();
        return server.finished;
      },
    };
  },
};

await runProgram(async (ending) => {
  const config = readServerConfig();
  if (config.KV_WORKERS > 1) throw new Error("KV_WORKERS: must be 1 on Deno; start a server for each core instead.");
  await requireUsable(config);
  const log = openLog(config);
  const backend = await prepareDatabase(config, log, ending.signal);
  await serve(deno, config, backend, log, ending, ({ url }) => log.info({ url }, "serving"));
});
