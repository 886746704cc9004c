// What a validation has measured so far, so that one that was cut off goes on where it was.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./predict.ts";

const FILE = join(import.meta.dirname, "../results/validate.partial.json");

export class Progress {
  private readonly measured: Record<string, Outcome> = existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {};

  get(name: string): Outcome | undefined {
    return this.measured[name];
  }

  set(name: string, outcome: Outcome) {
    this.measured[name] = outcome;
    writeFileSync(FILE, `${JSON.stringify(this.measured, undefined, 2)}\n`);
  }

  /** The next validation measures everything anew. */
  clear() {
    rmSync(FILE, { force: true });
  }
}
