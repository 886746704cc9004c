// The keys of one process, and which of them the next call is on.

import { scrambledZipfian, uniform } from "../random.ts";

export const DISTRIBUTIONS = ["uniform", "zipfian"] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

export interface Share {
  /** Of the keys: those with this remainder when divided by the number of processes. */
  process: number;
  processes: number;
}

export class Keys {
  /** Keys of this process, which numbers them from 0. */
  readonly count: number;

  constructor(
    private readonly distribution: Distribution,
    private readonly all: number,
    private readonly share: Share,
    hot = false,
  ) {
    this.count = hot ? 1 : Math.ceil((all - share.process) / share.processes);
  }

  choose(): number {
    const { process, processes } = this.share;
    if (this.count === 1 || this.distribution === "uniform") return uniform(this.count);
    // Others' keys are drawn again, so that together all processes draw as one would.
    for (;;) {
      const key = scrambledZipfian(this.all);
      if (key % processes === process) return (key - process) / processes;
    }
  }

  /** What a key of this process is called among all. */
  global(key: number): number {
    return key * this.share.processes + this.share.process;
  }
}
