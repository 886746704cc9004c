// Chance that can be repeated: the same seed gives the same numbers.

import { seeded } from "../../bench/random.ts";

export class Random {
  /** From 0 to less than 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  /** A whole number from 0 to less than `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** A whole number between the two, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** One of the names, each as often as its weight says. */
  pick<T extends string>(weights: Record<T, number>): T {
    const names = Object.keys(weights) as T[];
    let rest = this.next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      rest -= weights[name];
      if (rest < 0) return name;
    }
    return names[0] as T;
  }
}
