// `npm run dev`: the server over a cluster on this machine, which is started if it does not run and goes on afterwards, or
// over DATABASE_URL. The server starts again whenever one of its files is saved.

import { resolve } from "node:path";
import { defaultDataDir, up } from "./run/cluster.ts";
import { checkServer, runCommand, runServer } from "./run/in-foreground.ts";

/** What was printed before a restart stays on the screen. */
const WATCH = ["--watch", "--no-clear-screen"];

await runCommand(async (signal) => {
  const { DATABASE_URL, KV_DATA_DIR } = await checkServer();
  if (DATABASE_URL) return await runServer(DATABASE_URL, signal, WATCH);
  const { status } = await up({ dataDir: resolve(KV_DATA_DIR ?? defaultDataDir()) }, signal);
  const code = await runServer(status.url, signal, WATCH);
  console.error("The cluster goes on. 'npm run cluster -- down' stops it.");
  return code;
});
