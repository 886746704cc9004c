// What "a million concurrent calls" can mean, each answered by Little's law (calls under way = calls a second × seconds a
// call takes) with the latencies that were measured, and which limit each meaning meets.

import { readConfig } from "../../src/config.ts";
import { CONNECTIONS, capacityOf, type Known } from "./model.ts";
import type { Design, Target } from "./target.ts";
import { connectionsOf } from "./traffic.ts";

export interface Limit {
  name: string;
  /** What one process or shard has, what the target asks of each, and of how many processes or shards. */
  has: number;
  asked: number;
}

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
  limits: Limit[];
}

/** Calls of the default configuration that a server lets in. */
const { KV_QUEUE_CALLS } = readConfig({});
/** --queryserver-config-pool-size and --queryserver-config-transaction-cap of vitess/topology/topology.ts. */
export const TABLET_POOL = 64;
/** Statements of a kind that a server has under way in a shard, and kinds: reads and writes. */
const STATEMENTS = 2;

const WORDS: Record<Target["meaning"], string> = {
  connections: "connections that are open, each with a call now and then",
  "in-flight": "callers that each wait for an answer and then call again at once",
  "per-second": "calls, or transactions, in each second",
};

export function meaningsOf(target: Target, design: Design, known: Known): Meaning[] {
  return (["connections", "in-flight", "per-second"] as const).map((meaning) => {
    const asked = { ...target, meaning };
    const { traffic, cores, dollars, shards, gates } = capacityOf(asked, design, known);
    const rate = traffic.callsPerSecond;
    const aloneSeconds = (target.reads * known.readAloneMs + (1 - target.reads) * known.writeAloneMs) / 1000;
    const inFlightTarget = rate * target.latencySeconds;
    const connections = connectionsOf(asked, rate);
    const servers = traffic.serverProcesses;
    const serversOfShard = design.routing === "any" ? servers : Math.min(servers, known.processesPerSlice);
    return {
      meaning,
      words: WORDS[meaning],
      callsPerSecond: rate,
      inFlightAlone: rate * aloneSeconds,
      inFlightTarget,
      serverProcesses: servers,
      cores: cores.total,
      dollars: dollars.total,
      limits: [
        { name: "open files of a server process", has: known.openFiles, asked: connections / servers },
        {
          name: "calls that a server process lets in (KV_QUEUE_CALLS)",
          has: KV_QUEUE_CALLS,
          asked: inFlightTarget / servers,
        },
        {
          name: "memory of a server process for connections, MB of 1,000",
          has: 1000,
          asked: (connections / servers) * (known.connectionKb / 1e3),
        },
        {
          name: "connections of a server process to vtgate (KV_CONNECTIONS)",
          has: CONNECTIONS,
          asked: Math.min((shards.count / traffic.slices) * STATEMENTS, inFlightTarget / servers),
        },
        { name: "sessions of a vtgate, of 10,000", has: 10_000, asked: (servers * CONNECTIONS) / gates },
        {
          name: "statements at once in a tablet's pool",
          has: TABLET_POOL,
          asked: Math.min(serversOfShard * STATEMENTS, shards.callsPerSecond * target.latencySeconds),
        },
        {
          name: `calls/s on one key, of ${100 * known.hotShare}% of all: its row's lock is taken once for each batch`,
          has: known.hotKeyCallsPerSecond * serversOfShard,
          asked: rate * known.hotShare,
        },
      ],
    };
  });
}
