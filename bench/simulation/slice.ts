// A slice of the whole store, simulated call by call: its servers, vtgates, shards, and its callers.

import { seeded } from "../capacity/random.ts";
import type { Costs, Kind } from "./costs.ts";
import { Events } from "./events.ts";
import { Latencies } from "./latencies.ts";
import { Processor } from "./processor.ts";
import { type Call, type Outcome, Server, type ServerOptions } from "./server.ts";
import { Shard } from "./shard.ts";

export interface SliceOptions {
  servers: number;
  shards: number;
  /** Of one server's thread, of all vtgates, of all tablets. */
  cores: { server: number; gates: number; tablets: number };
  server: ServerOptions;
  reads: number;
  seed: number;
}

/** What a caller does when its call is refused, or takes too long for it. */
export interface Retries {
  /** After which it gives up waiting, and the call goes on without it. */
  timeoutSeconds: number;
  attempts: number;
  /** Before the second attempt. */
  pauseSeconds: number;
  /** Whether each further pause is twice as long, and all are spread at random; else all are the same. */
  backsOff: boolean;
}

/** One way between a caller and a server. */
const NETWORK_SECONDS = 0.0002;
const TICK_SECONDS = 0.05;

/** A caller's, for an answer. */
interface Wait {
  until: number;
  isOver: boolean;
  giveUp: () => void;
}

/** As HTTP clients have them. */
export const PATIENT: Retries = { timeoutSeconds: 30, attempts: 10, pauseSeconds: 1, backsOff: true };

/** Of the calls that ended in some time. */
export class Window {
  readonly latencies = new Latencies();
  /** To the shard or the key that something happens to. */
  readonly affected = new Latencies();
  failed = 0;
  refused = 0;
  abandoned = 0;
}

export class Slice {
  readonly events = new Events();
  readonly shards: Shard[];
  readonly servers: Server[];
  /** Calls so far. */
  ended = 0;
  private window = new Window();
  /** Whose calls are counted apart. */
  affected: (call: { shard: number; hot: boolean }) => boolean = () => false;
  private readonly gates: Processor;
  private readonly tablets: Processor;
  private waits: Wait[] = [];
  private readonly random: () => number;
  private readonly alive: Server[];

  constructor(
    private readonly options: SliceOptions,
    costs: Costs,
  ) {
    const { events } = this;
    this.random = seeded(options.seed);
    const { cores } = options;
    this.gates = new Processor(events, cores.gates);
    this.tablets = new Processor(events, cores.tablets);
    this.shards = Array.from(
      { length: options.shards },
      () => new Shard(events, this.tablets, new Processor(events, 1), costs),
    );
    this.servers = Array.from(
      { length: options.servers },
      () => new Server(events, new Processor(events, cores.server), this.gates, this.shards, costs, options.server),
    );
    this.alive = [...this.servers];
    this.tick();
  }

  /** So many callers, each of whom calls again as soon as it is answered. */
  addCallers(count: number, retries: Retries) {
    for (let caller = 0; caller < count; caller++) {
      const next = () => this.begin(false, retries, next);
      this.events.at(this.events.now + this.random() * 0.05, next);
    }
  }

  /** Calls that come at random times, so many a second on average, until the time has come. */
  addArrivals(perSecond: number, until: number, retries: Retries, hot = false) {
    const next = () => {
      if (this.events.now >= until) return;
      this.begin(hot, retries, () => {});
      this.events.at(this.events.now - Math.log(1 - this.random()) / perSecond, next);
    };
    this.events.at(this.events.now, next);
  }

  /** Runs for so long, and returns what became of the calls that ended in it. */
  measure(seconds: number): Window {
    const window = new Window();
    this.window = window;
    this.events.run(this.events.now + seconds);
    return window;
  }

  /** Ends a server; the load balancer notices after a while. */
  killServer(index: number, noticedSeconds: number) {
    const server = this.servers[index] as Server;
    server.kill();
    this.events.at(this.events.now + noticedSeconds, () => {
      this.alive.splice(this.alive.indexOf(server), 1);
    });
  }

  loseCores(share: number) {
    this.gates.lose(share);
    this.tablets.lose(share);
  }

  private begin(hot: boolean, retries: Retries, ended: () => void) {
    const { random } = this;
    const kind: Kind = random() < this.options.reads ? "read" : "write";
    const shard = hot ? 0 : Math.floor(random() * this.shards.length);
    const begunAt = this.events.now;
    this.attempt({ kind, shard, hot, begunAt }, retries, 1, (outcome) => {
      const { window } = this;
      const seconds = this.events.now - begunAt;
      this.ended += 1;
      if (outcome !== "done") window.failed += 1;
      window.latencies.add(seconds);
      if (this.affected({ shard, hot })) window.affected.add(seconds);
      ended();
    });
  }

  private attempt(
    about: Pick<Call, "kind" | "shard" | "hot" | "begunAt">,
    retries: Retries,
    number: number,
    ended: (outcome: Outcome) => void,
  ) {
    const wait: Wait = { until: this.events.now + retries.timeoutSeconds, isOver: false, giveUp: () => {} };
    const again = (pauseSeconds: number, outcome: Outcome) => {
      wait.isOver = true;
      if (number >= retries.attempts) return ended(outcome);
      const pause = retries.backsOff ? pauseSeconds * 2 ** (number - 1) * (0.5 + this.random()) : pauseSeconds;
      this.events.at(this.events.now + pause, () => this.attempt(about, retries, number + 1, ended));
    };
    const call: Call = {
      ...about,
      deadline: 0,
      settled: false,
      answered: (outcome) => {
        this.events.at(this.events.now + NETWORK_SECONDS, () => {
          if (wait.isOver) return;
          if (outcome === "done") {
            wait.isOver = true;
            return ended(outcome);
          }
          if (outcome === "overloaded") this.window.refused += 1;
          // A connection that was reset is opened again elsewhere at once.
          again(outcome === "overloaded" ? retries.pauseSeconds : 0.01, outcome);
        });
      },
    };
    const server = this.alive[Math.floor(this.random() * this.alive.length)];
    this.events.at(this.events.now + NETWORK_SECONDS, () =>
      server ? server.receive(call) : call.answered("unavailable"),
    );
    wait.giveUp = () => {
      this.window.abandoned += 1;
      again(retries.pauseSeconds, "unavailable");
    };
    this.waits.push(wait);
  }

  /** Callers whose time is over give up. Most have been answered by then: a timer for each would keep them in memory. */
  private tick() {
    for (const wait of this.waits) {
      if (!wait.isOver && wait.until <= this.events.now) wait.giveUp();
    }
    this.waits = this.waits.filter(({ isOver }) => !isOver);
    this.events.at(this.events.now + TICK_SECONDS, () => this.tick());
  }
}
