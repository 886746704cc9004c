// What a fault's history comes to, as numbers.

import { type Call, READS } from "./history.ts";

/** Microseconds by the clock of the history. */
export interface Window {
  from: number;
  to: number;
}

export interface Figures {
  calls: number;
  /** Calls without an answer, by why. */
  errors: Record<string, number>;
  /** By shard: the longest time without a write that succeeded. */
  withoutWriteMs: Record<string, number>;
  /** Of calls on the shards that the fault is not about, before it and while it lasts; absent where there are none. */
  othersP99Ms?: { before: number; during: number };
}

/** `whole` is all of the traffic; the fault and its mending lie in `during`. */
export function figuresOf(calls: Call[], shards: string[], whole: Window, during: Window, about?: string): Figures {
  const errors: Record<string, number> = {};
  for (const { code } of calls) if (code) errors[code] = (errors[code] ?? 0) + 1;
  const others = about === undefined ? [] : calls.filter(({ shard, code }) => shard !== about && !code);
  return {
    calls: calls.length,
    errors,
    withoutWriteMs: Object.fromEntries(shards.map((shard) => [shard, longestPause(calls, shard, whole)])),
    ...(others.length > 0 && {
      othersP99Ms: {
        before: p99(others.filter(({ invoke }) => invoke < during.from)),
        during: p99(others.filter(({ invoke }) => invoke >= during.from && invoke <= during.to)),
      },
    }),
  };
}

function longestPause(calls: Call[], shard: string, { from, to }: Window): number {
  const ends = calls
    .filter((call) => call.shard === shard && call.outcome === "ok" && call.held && !READS.has(call.op))
    .map((call) => call.return)
    .filter((end) => end < to)
    .toSorted((a, b) => a - b);
  let last = from;
  let longest = 0;
  for (const end of [...ends, to]) {
    longest = Math.max(longest, end - last);
    last = end;
  }
  return Math.round(longest / 1000);
}

function p99(calls: Call[]): number {
  const times = calls.map((call) => call.return - call.invoke).toSorted((a, b) => a - b);
  return Math.round((times[Math.floor(times.length * 0.99)] ?? Number.NaN) / 100) / 10;
}
