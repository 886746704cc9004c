// What a lane of the server does around a statement, for those who send statements without one.

import { setTimeout as sleep } from "node:timers/promises";
import { retryDelayMs } from "../src/batching/lane.ts";
import { StoreError } from "../src/store/error.ts";

const DEADLINE_MS = 60_000;

/** Sends it again while it fails for what passes and the deadline allows. It may do so twice without harm. */
export async function again<T>(send: (deadline: number) => Promise<T>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (let failures = 1; ; failures++) {
    try {
      return await send(deadline);
    } catch (error) {
      const passes = error instanceof StoreError && error.code !== "internal";
      const pauseMs = retryDelayMs(failures);
      if (!passes || performance.now() + pauseMs >= deadline) throw error;
      await sleep(pauseMs);
    }
  }
}
