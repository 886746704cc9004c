// Which of the keys, numbered from 0, the next call is on.

import { scrambledZipfian, uniform } from "../random.ts";

export const DISTRIBUTIONS = ["uniform", "zipfian"] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

export class Keys {
  constructor(
    private readonly distribution: Distribution,
    readonly count: number,
  ) {}

  choose(): number {
    return this.distribution === "uniform" ? uniform(this.count) : scrambledZipfian(this.count);
  }
}
