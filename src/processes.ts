// Workers: processes that serve on one port together, for a machine with more cores than one process can use. Their
// parent starts them, replaces those that die, and ends them.

import { setTimeout as sleep } from "node:timers/promises";
import type { Subprocess } from "bun";
import type { Logger } from "pino";
import type { Exchange } from "./exchange.ts";

/** How soon a worker that died is replaced; twice as long each time when the new one dies too. */
const REPLACE_MS = { least: 100, most: 5_000 };
/** A worker that lived for this long was in order, and its end is not the last one's fault again. */
const SETTLED_MS = 30_000;
/** What a worker may take beyond its drain, to close its connections; one that takes longer hangs. */
const END_MS = 5_000;

/** What a worker tells its parent once it serves. */
export interface Serving {
  url: string;
  port: number;
}

export interface WorkersOptions {
  count: number;
  /** 0 lets the first worker pick a free port, which the others then take. */
  port: number;
  /**
   * What a worker runs: it reads PORT, sends `Serving`, takes part in the exchange, and ends at SIGTERM or when its IPC channel closes, as it does
   * when its parent is killed.
   */
  command: string[];
  environment: Record<string, string | undefined>;
  /** How long a worker may take to finish what is in flight. */
  drainMs: number;
  /** What they tell each other. */
  exchange: Exchange<unknown>;
  log: Logger;
}

export class Workers {
  private readonly children = new Set<Subprocess>();
  private readonly ending = new AbortController();
  private port: number;

  constructor(private readonly options: WorkersOptions) {
    this.port = options.port;
  }

  /** Resolves to the URL when all serve, and replaces them from then on; fails when one ends before it serves. */
  async start(): Promise<string> {
    const { url, port } = await this.add();
    this.port = port;
    await Promise.all(Array.from({ length: this.options.count - 1 }, () => this.add()));
    return url;
  }

  /** Has every worker finish what is in flight, and waits for their ends; kills one that hangs. */
  async stop() {
    this.ending.abort();
    const children = [...this.children];
    for (const child of children) child.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const child of this.children) {
        this.options.log.error({ worker: child.pid }, "worker does not end, and is killed");
        child.kill("SIGKILL");
      }
    }, this.options.drainMs + END_MS);
    await Promise.all(children.map((child) => child.exited));
    clearTimeout(timer);
  }

  private add(): Promise<Serving> {
    return new Promise((resolve, reject) => {
      this.keep(resolve).catch(reject);
    });
  }

  /** Runs one worker after the other until the end; fails only when the first has never served. */
  private async keep(onFirstServing: (serving: Serving) => void) {
    const { log } = this.options;
    let served = false;
    let replaceMs = REPLACE_MS.least;
    const onServing = (serving: Serving, worker: number) => {
      if (served) log.info({ worker }, "worker replaced");
      served = true;
      onFirstServing(serving);
    };
    for (;;) {
      // The end may have come during the wait, or just when the first worker said that it serves.
      if (this.ending.signal.aborted) return;
      const begun = performance.now();
      // Failing to spawn is an end too: memory or processes may be short for a while.
      const end = await this.runOne(onServing).catch((error) => ({ reason: error.message }));
      if (this.ending.signal.aborted) return;
      if (!served) throw new Error(`A worker ended before it served: ${end.reason}.`);
      if (performance.now() - begun > SETTLED_MS) replaceMs = REPLACE_MS.least;
      log.error({ ...end, replace_ms: replaceMs }, "worker ended unexpectedly");
      await sleep(replaceMs, undefined, { signal: this.ending.signal }).catch(() => {});
      replaceMs = Math.min(2 * replaceMs, REPLACE_MS.most);
    }
  }

  /** Runs a worker until it ends, and says how it did. */
  private async runOne(onServing: (serving: Serving, worker: number) => void) {
    const { command, environment, exchange } = this.options;
    const child = Bun.spawn(command, {
      env: { ...environment, PORT: String(this.port) },
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message: object) => {
        if (!exchange.hear(child, message)) onServing(message as Serving, child.pid);
      },
    });
    this.children.add(child);
    exchange.join(child);
    await child.exited;
    exchange.leave(child);
    this.children.delete(child);
    return { worker: child.pid, reason: child.signalCode ?? `exit code ${child.exitCode}` };
  }
}
