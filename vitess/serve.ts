// `npm start`: the server over a cluster on this machine, which is started first and stopped at the end unless it was
// running before; or over DATABASE_URL.

import { resolve } from "node:path";
import { defaultDataDir, down, up } from "./run/cluster.ts";
import { checkServer, runCommand, runServer } from "./run/in-foreground.ts";

await runCommand(async (signal) => {
  const { DATABASE_URL, KV_DATA_DIR } = await checkServer();
  if (DATABASE_URL) return await runServer(DATABASE_URL, signal);
  const dataDir = resolve(KV_DATA_DIR ?? defaultDataDir());
  const { status, started } = await up({ dataDir }, signal);
  try {
    return await runServer(status.url, signal);
  } finally {
    // A cluster that was running before is somebody else's to stop.
    if (started) await down(dataDir);
  }
});
