// What "a million concurrent calls" can mean, each answered by Little's law (calls under way = calls a second × seconds a
// call takes) with the latencies that were measured.

import { capacityOf, type Known } from "./model.ts";
import type { Design, Target } from "./target.ts";

export interface Meaning {
  meaning: Target["meaning"];
  words: string;
  callsPerSecond: number;
  /** Under way at once, if each takes as long as on an idle store, and as long as the target allows. */
  inFlightAlone: number;
  inFlightTarget: number;
  serverProcesses: number;
  cores: number;
  dollars: number;
}

const WORDS: Record<Target["meaning"], string> = {
  connections: "connections that are open, each with a call now and then",
  "in-flight": "callers that each wait for an answer and then call again at once",
  "per-second": "calls, or transactions, in each second",
};

export function meaningsOf(target: Target, design: Design, known: Known): Meaning[] {
  return (["connections", "in-flight", "per-second"] as const).map((meaning) => {
    const { traffic, cores, dollars } = capacityOf({ ...target, meaning }, design, known);
    const { callsPerSecond, serverProcesses } = traffic;
    const aloneSeconds = (target.reads * known.readAloneMs + (1 - target.reads) * known.writeAloneMs) / 1000;
    return {
      ...{ meaning, words: WORDS[meaning], callsPerSecond, serverProcesses },
      inFlightAlone: callsPerSecond * aloneSeconds,
      inFlightTarget: callsPerSecond * target.latencySeconds,
      cores: cores.total,
      dollars: dollars.total,
    };
  });
}
