// The benchmarks' rig, simulated: a load generator with so many connections, servers and a whole cluster on one machine.

import { seeded } from "../capacity/random.ts";
import type { Costs, Kind } from "./costs.ts";
import { Events } from "./events.ts";
import { Latencies } from "./latencies.ts";
import { Processor } from "./processor.ts";
import { type Call, Server, type ServerOptions } from "./server.ts";
import { Shard } from "./shard.ts";

export interface RigOptions {
  connections: number;
  reads: number;
  shards: number;
  servers: number;
  /** Processes of the load generator, and what one call takes of them. */
  generators: number;
  generatorMicros: number;
  /** All calls are about one key. */
  hot: boolean;
  cores: number;
}

export interface RigResult {
  perSecond: Record<Kind, number>;
  p50Ms: Record<Kind, number>;
}

/** As the server is configured by default (src/config.ts). */
export const DEFAULT_SERVER: ServerOptions = {
  batchRows: 500,
  maxCalls: 20_000,
  deadlineSeconds: 10,
  connections: 32,
};

const ANSWERS_A_TURN = 64;
/** Simulated: until everything is under way, and measured, but for at least so many rounds of each connection. */
const WARMUP_SECONDS = 0.5;
const SECONDS = 1.5;
const ROUNDS = 3;

export function simulateRig(options: RigOptions, costs: Costs, seed: number): RigResult {
  const events = new Events();
  const random = seeded(seed);
  const machine = new Processor(events, options.cores);
  const disk = new Processor(events, 1);
  const shards = Array.from({ length: options.shards }, () => new Shard(events, machine, disk, costs));
  const servers = Array.from(
    { length: options.servers },
    () => new Server(events, machine, machine, shards, costs, DEFAULT_SERVER),
  );
  const latencies = { read: new Latencies(), write: new Latencies() };
  let isMeasured = false;

  const call = (connection: number, next: () => void): Call => ({
    kind: random() < options.reads ? "read" : "write",
    shard: options.hot ? 0 : Math.floor(random() * options.shards),
    hot: options.hot,
    begunAt: events.now,
    deadline: 0,
    settled: false,
    answered(outcome) {
      if (isMeasured && outcome === "done") latencies[this.kind].add(events.now - this.begunAt);
      generators[connection % options.generators]?.add(next);
    },
  });
  const generators = Array.from(
    { length: options.generators },
    () => new Generator(events, machine, options.generatorMicros * 1e-6, costs.wake),
  );
  for (let connection = 0; connection < options.connections; connection++) {
    const next = () => servers[connection % options.servers]?.receive(call(connection, next));
    // Connections are opened over a while.
    events.at(random() * WARMUP_SECONDS * 0.5, next);
  }
  const rounds = (options.connections * ROUNDS) / 15_000;
  const seconds = Math.max(SECONDS, rounds);
  events.run(Math.max(WARMUP_SECONDS, rounds / 2));
  isMeasured = true;
  events.run(events.now + seconds);
  return {
    perSecond: { read: latencies.read.count / seconds, write: latencies.write.count / seconds },
    p50Ms: { read: latencies.read.percentile(0.5), write: latencies.write.percentile(0.5) },
  };
}

/** A thread that takes answers and sends the next requests. */
class Generator {
  private inbox: (() => void)[] = [];
  private isRunning = false;

  constructor(
    private readonly events: Events,
    private readonly machine: Processor,
    private readonly secondsPerCall: number,
    private readonly wakeSeconds: number,
  ) {}

  add(next: () => void) {
    this.inbox.push(next);
    if (this.isRunning) return;
    this.isRunning = true;
    // After what else happens at this time.
    this.events.at(this.events.now, () => this.turn());
  }

  private turn() {
    const taken = this.inbox.splice(0, ANSWERS_A_TURN);
    this.machine.compute(this.wakeSeconds + taken.length * this.secondsPerCall, "steady", () => {
      for (const next of taken) next();
      if (this.inbox.length > 0) this.turn();
      else this.isRunning = false;
    });
  }
}
