// Waiting for what others bring about.

import { setTimeout as sleep } from "node:timers/promises";
import { ClusterProblem } from "./problem.ts";

const POLL_MS = 300;

/** Polls until it is so; fails with the complaint when that takes longer. */
export async function until(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  complaint: string,
  condition: () => Promise<boolean>,
) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new ClusterProblem(`${complaint} after ${timeoutMs / 1000} s.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
