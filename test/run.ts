// `npm test`: starts what the suite needs, runs the pure tests and then the others, stops everything whatever happens, and
// prints the runner's counts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { interruption } from "../src/signals.ts";
import { ClusterProblem } from "../vitess/support/problem.ts";
import { endKept, type Suite, startSuite } from "./suite.ts";

const stop = interruption().signal;
let suite: Suite | undefined;
let outcome: { code: number; counts?: string };
try {
  // It has the same ports and folders.
  await endKept();
  suite = await startSuite(stop);
  outcome = await runSuite(suite, process.argv.slice(2));
} catch (error) {
  if (!stop.aborted) console.error(error instanceof ClusterProblem ? error.message : error);
  outcome = { code: stop.aborted ? 130 : 1 };
}
await suite?.stop();
if (outcome.counts) console.log(outcome.counts);
process.exit(outcome.code);

async function runSuite({ targets }: Suite, patterns: string[]) {
  // The preload sets it for the first file only.
  const runner = spawn(process.execPath, ["test", "--timeout=120000", ...patterns], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, KV_TEST_TARGETS: JSON.stringify(targets) },
  });
  stop.addEventListener("abort", () => runner.kill("SIGTERM"));
  // Bun reports on stderr.
  let report = "";
  runner.stderr.setEncoding("utf8").on("data", (chunk) => {
    report += chunk;
    process.stderr.write(chunk);
  });
  const [code] = await once(runner, "close");
  stop.throwIfAborted();
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(report)?.[1] ?? 0);
  const [passed, failed, skipped] = [count("pass"), count("fail"), count("skip")];
  return {
    code: code === 0 && failed === 0 && passed > 0 ? 0 : 1,
    counts: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  };
}
