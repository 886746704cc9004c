// A wall clock that a process has for itself and that can be stepped while it runs, by libfaketime. Monotonic clocks stay.

import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installDebian } from "../../vitess/install/debian.ts";
import { Cluster } from "../../vitess/run/folder.ts";
import { tryBehind } from "./mysqld.ts";

const INSTALL_MS = 120_000;
/** How often the process looks for another offset. */
const LOOK_SECONDS = 1;

export class Clock {
  private constructor(
    private readonly file: string,
    private readonly library: string,
  ) {}

  /** Right at first; the file is where its offset is kept. */
  static async make(file: string): Promise<Clock> {
    const prefix = await installDebian({ faketime: ["bin/faketime"] }, AbortSignal.timeout(INSTALL_MS));
    const [library] = globSync(join(prefix, "usr/lib/*/faketime/libfaketimeMT.so.1"));
    if (!library) throw new Error("the package faketime has no libfaketimeMT");
    const clock = new Clock(file, library);
    clock.step(0);
    return clock;
  }

  /** What a command is put behind to have this clock. */
  get before(): [string, ...string[]] {
    const variables = {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_CACHE_DURATION: LOOK_SECONDS,
      FAKETIME_DONT_FAKE_MONOTONIC: 1,
      // Else whoever waits for a while by the monotonic clock wakes at once, and tries again for ever.
      FAKETIME_FORCE_MONOTONIC_FIX: 0,
    };
    return ["env", ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  }

  /** From now on, or a second later, it is so far ahead of the machine's. */
  step(aheadSeconds: number) {
    writeFileSync(this.file, `${aheadSeconds < 0 ? "" : "+"}${aheadSeconds}\n`);
  }
}

/** Why the cluster's mysqlds can't have such a clock, if so. */
export async function clockImpossible(dataDir: string): Promise<string | undefined> {
  try {
    const clock = await Clock.make(join(dataDir, "clock"));
    await tryBehind(Cluster.load(dataDir), clock.before);
  } catch (error) {
    return `mysqld can't have a clock of its own here: ${(error as Error).message.split("\n").slice(0, 2).join(" ")}`;
  }
}
