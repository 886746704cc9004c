// The server in the foreground of a terminal, as `npm start` and `npm run dev` run it: over a cluster or another database.

import { join } from "node:path";
import { readTokens } from "../../src/auth/source.ts";
import { type Config, isAnonymous, readConfig, tokenSource } from "../../src/config.ts";
import { requireFreePort } from "../../src/port.ts";
import { interruption, outliveReaders, SIGNALS } from "../../src/signals.ts";
import { ClusterProblem } from "../support/problem.ts";

export const SERVER = join(import.meta.dirname, "../../src/server.ts");
/** What a shell shows for a command that Ctrl-C has ended. */
const INTERRUPTED = 130;

/**
 * Runs a command to its exit code. Signals abort its work. What fails is told in a message without a stack, because it is
 * set-up, and the sentence says what to do.
 */
export async function runCommand(work: (signal: AbortSignal) => Promise<number>): Promise<never> {
  outliveReaders();
  const { signal } = interruption();
  const code = await work(signal).catch((error) => {
    if (signal.aborted && error.name === "AbortError") return INTERRUPTED;
    console.error(error instanceof Error ? error.message : error);
    return 1;
  });
  process.exit(code);
}

/** The server's configuration. Fails where the server would refuse to start, before a cluster is started for nothing. */
export async function checkServer(): Promise<Config> {
  const config = readConfig(process.env);
  if (!isAnonymous(config)) await readTokens(tokenSource(config));
  await requireFreePort(config.KV_HOST, config.PORT);
  return config;
}

/** Runs the server until it ends, and resolves to its exit code. Signals are passed on to it. */
export async function runServer(databaseUrl: string, signal: AbortSignal, options: string[] = []): Promise<number> {
  signal.throwIfAborted();
  const child = Bun.spawn([process.execPath, ...options, SERVER], {
    // Not an argument, which every user of the machine could read: the URL holds a password.
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ["ignore", "inherit", "inherit"],
    // Nothing is said over it; the server ends when it closes, which it does even if this process is killed.
    ipc: () => {},
  });
  const passOn = (name: NodeJS.Signals) => child.kill(name);
  for (const name of SIGNALS) process.on(name, passOn);
  const code = await child.exited;
  for (const name of SIGNALS) process.off(name, passOn);
  if (!child.signalCode) return code;
  // A signal that comes before the server listens to signals ends it.
  if (signal.aborted) return INTERRUPTED;
  throw new ClusterProblem(`The server was ended by ${child.signalCode}.`);
}
