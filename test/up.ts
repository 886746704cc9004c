// `npm run test:up`: starts what the suites need and leaves it running, so that `bun test test/ttl` takes seconds. Its
// servers begin again whenever a file of theirs is saved. `npm run test:down` stops all of it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { interruption, outliveReaders } from "../src/signals.ts";
import { clear, endKept, keep, kept, startSuite } from "./suite.ts";

const KEEPER_FLAG = "--keep";

if (process.argv[2] === "down") await down();
else if (process.argv[2] === KEEPER_FLAG) await keepRunning();
else await bringUp();
process.exit(process.exitCode ?? 0);

async function bringUp() {
  if (kept()?.targets) {
    console.log("It is up already.");
    return;
  }
  await endKept();
  // A process of its own, which outlives this one and holds all others. Its progress is shown as long as it starts.
  const keeper = spawn(process.execPath, [import.meta.path, KEEPER_FLAG], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  keeper.stdout.pipe(process.stdout);
  keeper.stderr.pipe(process.stderr);
  const stop = interruption().signal;
  stop.addEventListener("abort", () => keeper.kill("SIGTERM"));
  const exited = once(keeper, "exit");
  let code: number | null | undefined;
  exited.then(([given]) => {
    code = given ?? 1;
  });
  while (code === undefined && kept()?.pid !== keeper.pid) await sleep(50);
  while (code === undefined && !kept()?.targets) await sleep(50);
  if (code !== undefined) {
    process.exitCode = stop.aborted ? 130 : code || 1;
    return;
  }
  console.log("Up. Run a suite: npx bun test test/expiry. Stop all of it: npm run test:down.");
}

async function keepRunning() {
  const stop = interruption().signal;
  keep();
  const suite = await startSuite(stop, { watch: true });
  keep(suite.targets);
  // Whoever read the progress has gone.
  outliveReaders();
  if (!stop.aborted) await once(stop, "abort");
  await suite.stop();
}

async function down() {
  if (await endKept()) return;
  await clear();
  console.log("Nothing was up.");
}
