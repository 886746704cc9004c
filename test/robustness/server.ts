// One of the servers that calls are made to, always on the same port.

import { type RunningServer, startServer } from "../../vitess/run/server-process.ts";

/** A client's pause, and its longest call, several times. */
const LEAVE_MS = 2_000;

export class Server {
  private running: RunningServer | undefined;

  private environment: Record<string, string>;

  constructor(environment: Record<string, string>) {
    this.environment = { KV_LEAVE_MS: String(LEAVE_MS), ...environment };
  }

  get url(): string {
    return `http://127.0.0.1:${this.environment.PORT}`;
  }

  get port(): number {
    return Number(this.environment.PORT);
  }

  /** Null while it does not run. */
  get pid(): number | null {
    return this.running?.pid ?? null;
  }

  /** Waits until it serves; does nothing while it runs. */
  async start() {
    if (this.running) return;
    const server = await startServer(this.environment);
    this.running = server;
    server.exited.then(() => {
      this.running = undefined;
    });
  }

  /** Its end and another start, with these in the place of what it had. */
  async restart(environment: Record<string, string>) {
    await this.stop();
    this.environment = { ...this.environment, ...environment };
    await this.start();
  }

  /** An orderly end, waited for. */
  async stop() {
    await this.end("SIGTERM");
  }

  /** Its end by a signal that ends it, waited for. */
  async end(name: NodeJS.Signals) {
    this.running?.signal(name);
    await this.running?.exited;
  }
}
