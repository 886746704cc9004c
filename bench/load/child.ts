// A process of the load simulator: does what its parent says, and ends with it.

import { setTimeout as sleep } from "node:timers/promises";
import { type CallOptions, callsOf } from "./all-calls.ts";
import type { ConnectionOptions } from "./connections.ts";
import { Generator, type Period } from "./generator.ts";
import type { EncodedTally } from "./tally.ts";

export type Command =
  | { do: "prepare"; calls: CallOptions; connections: ConnectionOptions }
  | { do: "connect"; connections: number; withinMs: number }
  | { do: "fill" }
  | { do: "measure"; period: Period }
  | { do: "stop" };

export type Report =
  /** The command is done. */
  | { is: "done"; result?: WorkerResult; error?: string }
  /** How many connections are open, or keys written. */
  | { is: "progress"; count: number }
  /** Of the second that ended `atMs` after the beginning, or of what came after the last. */
  | { is: "second"; atMs?: number; connections: number; tally: EncodedTally };

export interface WorkerResult {
  measuredMs: number;
  reads: number;
  writes: number;
  calls: number;
  cpuMicroseconds: number;
  examples: string[];
}

const stop = new AbortController();
let generator: Generator;

// The terminal sends Ctrl-C to every process; the parent decides what is done about it.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
process.on("message", async (command: Command) => {
  // It has no answer of its own: the command under way ends.
  if (command.do === "stop") return stop.abort();
  try {
    report({ is: "done", result: await run(command) });
  } catch (error) {
    report({ is: "done", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

async function run(command: Exclude<Command, { do: "stop" }>): Promise<WorkerResult | undefined> {
  switch (command.do) {
    case "prepare":
      generator = new Generator(callsOf(command.calls), command.connections);
      return;
    case "connect":
      await connect(command.connections, command.withinMs);
      return;
    case "fill":
      await generator.fill((count) => report({ is: "progress", count }), stop.signal);
      return;
    case "measure":
      return measure(command.period);
  }
}

/** Waits until all are open, or goes on with those there are. */
async function connect(count: number, withinMs: number) {
  const { connections } = generator;
  connections.resize(count);
  const deadline = performance.now() + withinMs;
  while (connections.open < count && performance.now() < deadline && !stop.signal.aborted) {
    report({ is: "progress", count: connections.open });
    await sleep(20);
  }
  report({ is: "progress", count: connections.open });
}

async function measure(period: Period): Promise<WorkerResult> {
  const { answers } = generator;
  const cpu = process.cpuUsage();
  const send = (atMs?: number) =>
    report({ is: "second", atMs, connections: generator.connections.open, tally: generator.tally.encode() });
  const measuredMs = await generator.measure(period, send, stop.signal);
  const { user, system } = process.cpuUsage(cpu);
  return {
    measuredMs,
    ...generator.measured,
    calls: generator.answers - answers,
    cpuMicroseconds: user + system,
    examples: generator.examples,
  };
}

function report(message: Report) {
  process.send?.(message);
}
