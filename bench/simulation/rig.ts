// The benchmarks' rig, simulated: a load generator with so many connections, a server and a whole cluster on one machine.

import { type CallName, callKind, type Kind } from "../costs/calls.ts";
import { newHistogram, percentileMs, record } from "../load/tally.ts";
import { seeded } from "../random.ts";
import { type Costs, crowded, onMachine, type Slowness } from "./costs.ts";
import { Events } from "./events.ts";
import { Processor } from "./processor.ts";
import { DEFAULT_SERVER, Server } from "./server.ts";
import { Shard } from "./shard.ts";

/** Of all calls, the share of each kind; together 1. */
export type Mix = Partial<Record<CallName, number>>;

export interface RigOptions {
  connections: number;
  mix: Mix;
  shards: number;
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

const ANSWERS_A_TURN = 64;
/** Simulated: until everything is under way, and measured, but for at least so many rounds of each connection. */
const WARMUP_SECONDS = 0.5;
const SECONDS = 1.5;
const ROUNDS = 3;
const LEAST_PER_SECOND = 15_000;
const SLOWNESS = { least: 0.2, most: 5, halvings: 9, rounds: 3 };

export function simulateRig(options: RigOptions, usual: Costs, seed: number): RigResult {
  const costs = crowded(usual, options.connections);
  const events = new Events();
  const random = seeded(seed);
  const machine = new Processor(events, options.cores);
  const disk = new Processor(events, 1);
  const shards = Array.from({ length: options.shards }, () => new Shard(events, machine, disk, costs, disk));
  const server = new Server(events, machine, machine, shards, costs, DEFAULT_SERVER, random);
  const generators = Array.from(
    { length: options.generators },
    () => new Generator(events, machine, options.generatorMicros * 1e-6, costs.wake),
  );
  const choose = choiceOf(options.mix, random);
  const counts = { read: 0, write: 0 };
  const latencies = { read: newHistogram(), write: newHistogram() };
  let isMeasured = false;
  for (let connection = 0; connection < options.connections; connection++) {
    const next = () => {
      const name = choose();
      const { kind } = callKind(name);
      const begunAt = events.now;
      const answered = () => {
        if (isMeasured) {
          counts[kind] += 1;
          record(latencies[kind], 1000 * (events.now - begunAt));
        }
        generators[connection % options.generators]?.add(next);
      };
      const shard = options.hot ? 0 : Math.floor(random() * options.shards);
      server.receive({ name, shard, hot: options.hot, answered });
    };
    // Connections are opened over a while.
    events.at(random() * WARMUP_SECONDS * 0.5, next);
  }
  const rounds = (options.connections * ROUNDS) / LEAST_PER_SECOND;
  const seconds = Math.max(SECONDS, rounds);
  events.run(Math.max(WARMUP_SECONDS, rounds / 2));
  isMeasured = true;
  events.run(events.now + seconds);
  return {
    perSecond: { read: counts.read / seconds, write: counts.write / seconds },
    p50Ms: { read: percentileMs(latencies.read, 50), write: percentileMs(latencies.write, 50) },
  };
}

function choiceOf(mix: Mix, random: () => number): () => CallName {
  const shares = Object.entries(mix) as [CallName, number][];
  return () => {
    let at = random();
    const found = shares.find(([, share]) => {
      at -= share;
      return at < 0;
    });
    return (found ?? (shares[0] as [CallName, number]))[0];
  };
}

/** A load of one kind of call, and what was measured of it. */
export interface Calibration {
  options: RigOptions;
  perSecond: number;
}

/**
 * The machine's speed changes from hour to hour, and not of everything alike. A load of one kind with many connections
 * tells how slow calls were, and one with few, whose statements have few rows, how slow statements were: with what this
 * returns the simulation has the throughput that was measured for them.
 */
export function slownessFrom(
  loads: Record<Kind, { many: Calibration; few: Calibration }>,
  costs: Costs,
  seed: number,
): Record<Kind, Slowness> {
  const find = (kind: Kind): Slowness => {
    const { many, few } = loads[kind];
    const fit = ({ options, perSecond }: Calibration, slownessAt: (times: number) => Slowness): Slowness => {
      let [low, high] = [SLOWNESS.least, SLOWNESS.most];
      for (let i = 0; i < SLOWNESS.halvings; i++) {
        const middle = Math.sqrt(low * high);
        const slowness = slownessAt(middle);
        const simulated = simulateRig(options, onMachine(costs, { read: slowness, write: slowness }), seed);
        if (simulated.perSecond[kind] > perSecond) low = middle;
        else high = middle;
      }
      return slownessAt(Math.sqrt(low * high));
    };
    let slowness = fit(many, (times) => ({ statement: times, call: times }));
    for (let round = 0; round < SLOWNESS.rounds; round++) {
      const { call } = slowness;
      const { statement } = fit(few, (times) => ({ statement: times, call }));
      slowness = fit(many, (times) => ({ statement, call: times }));
    }
    return slowness;
  };
  return { read: find("read"), write: find("write") };
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
    this.machine.compute(this.wakeSeconds + taken.length * this.secondsPerCall, () => {
      for (const next of taken) next();
      if (this.inbox.length > 0) this.turn();
      else this.isRunning = false;
    });
  }
}
