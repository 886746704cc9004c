// Time and chance as batching takes them, passed in so that a simulation can drive it with a clock of its own.

import { setTimeout as sleep } from "node:timers/promises";

export interface Clock {
  /** In milliseconds, as performance.now() counts. */
  now(): number;
  /** Calls back once what has arrived by now has been read. */
  soon(action: () => void): void;
  sleep(ms: number): Promise<unknown>;
  /** Calls again and again, for as long as the process has something else to do. */
  every(ms: number, action: () => void): void;
  /** A number from 0 to less than 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  soon: (action) => setImmediate(action),
  sleep: (ms) => sleep(ms),
  every: (ms, action) => setInterval(action, ms).unref?.(),
  random: () => Math.random(),
};
