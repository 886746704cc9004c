// The simulator's processes as their parent sees them: a command to all of them, and what they report meanwhile.

import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Command, Report, WorkerResult } from "./child.ts";

const CHILD = join(import.meta.dirname, "child.ts");

type Meanwhile = (report: Report, process: number) => void;

export class Processes {
  private readonly children: Subprocess[];
  private pending: PromiseWithResolvers<WorkerResult | undefined>[] = [];
  private meanwhile: Meanwhile = () => {};

  constructor(readonly count: number) {
    this.children = Array.from({ length: count }, (_, index) =>
      Bun.spawn([process.execPath, CHILD], {
        stdio: ["ignore", "inherit", "inherit"],
        ipc: (report: Report) => this.receive(report, index),
        onExit: () => this.pending[index]?.reject(new Error("A process of the load simulator has ended early.")),
      }),
    );
  }

  /** Has every process do a command, and waits for all of them. */
  async all(command: (process: number) => Command, meanwhile: Meanwhile = () => {}) {
    this.meanwhile = meanwhile;
    this.pending = this.children.map(() => Promise.withResolvers());
    for (const [index, child] of this.children.entries()) child.send(command(index));
    return await Promise.all(this.pending.map(({ promise }) => promise));
  }

  /** Ends the command under way early. */
  interrupt() {
    for (const child of this.children) child.send({ do: "stop" } satisfies Command);
  }

  async kill() {
    for (const child of this.children) child.kill("SIGKILL");
    await Promise.all(this.children.map((child) => child.exited));
  }

  private receive(report: Report, index: number) {
    if (report.is !== "done") this.meanwhile(report, index);
    else if (report.error) this.pending[index]?.reject(new Error(report.error));
    else this.pending[index]?.resolve(report.result);
  }
}
