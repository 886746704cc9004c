// A slice of the whole store, simulated call by call: its servers, vtgates, shards, and its callers.

import type { CallName } from "../costs/calls.ts";
import { newHistogram, record } from "../load/tally.ts";
import { seeded } from "../random.ts";
import type { Costs } from "./costs.ts";
import { Events } from "./events.ts";
import { Processor } from "./processor.ts";
import { type Outcome, Server, type ServerOptions } from "./server.ts";
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

/** As HTTP clients have them. */
export const PATIENT: Retries = { timeoutSeconds: 30, attempts: 10, pauseSeconds: 1, backsOff: true };

/** One way between a caller and a server. */
const NETWORK_SECONDS = 0.0002;
const TICK_SECONDS = 0.05;
/** A connection that was reset is opened again elsewhere at once. */
const RECONNECT_SECONDS = 0.01;

/** A caller's, for an answer. */
interface Wait {
  until: number;
  isOver: boolean;
  giveUp: () => void;
}

/** What a call is about. */
interface Subject {
  name: CallName;
  shard: number;
  hot: boolean;
}

/** Of the calls that ended in some time. */
export class Window {
  readonly latencies = newHistogram();
  /** To the shard or the key that something happens to. */
  readonly affected = newHistogram();
  failed = 0;
  refused = 0;
}

export class Slice {
  readonly events = new Events();
  readonly shards: Shard[];
  /** Whose calls are counted apart. */
  affected: (call: Subject) => boolean = () => false;
  private window = new Window();
  private readonly servers: Server[];
  private readonly gates: Processor;
  private readonly tablets: Processor;
  private waits: Wait[] = [];
  private readonly random: () => number;

  constructor(
    private readonly options: SliceOptions,
    costs: Costs,
  ) {
    const { events } = this;
    const { cores, servers, shards, server, seed } = options;
    this.random = seeded(seed);
    this.gates = new Processor(events, cores.gates);
    this.tablets = new Processor(events, cores.tablets);
    this.shards = Array.from(
      { length: shards },
      () => new Shard(events, this.tablets, new Processor(events, 1), costs),
    );
    this.servers = Array.from({ length: servers }, () => {
      const thread = new Processor(events, cores.server);
      return new Server(events, thread, this.gates, this.shards, costs, server, this.random);
    });
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
    this.window = new Window();
    this.events.run(this.events.now + seconds);
    return this.window;
  }

  /** Ends a server; the load balancer notices after a while. */
  killServer(noticedSeconds: number) {
    const server = this.servers[0] as Server;
    server.kill();
    this.events.at(this.events.now + noticedSeconds, () => this.servers.splice(this.servers.indexOf(server), 1));
  }

  loseCores(share: number) {
    this.gates.lose(share);
    this.tablets.lose(share);
  }

  private begin(hot: boolean, retries: Retries, ended: () => void) {
    const { random } = this;
    const name: CallName = random() < this.options.reads ? "get" : "put";
    const subject = { name, hot, shard: hot ? 0 : Math.floor(random() * this.shards.length) };
    const begunAt = this.events.now;
    this.attempt(subject, retries, 1, (outcome) => {
      const { window } = this;
      const ms = 1000 * (this.events.now - begunAt);
      if (outcome !== "done") window.failed += 1;
      record(window.latencies, ms);
      if (this.affected(subject)) record(window.affected, ms);
      ended();
    });
  }

  private attempt(subject: Subject, retries: Retries, number: number, ended: (outcome: Outcome) => void) {
    const { events } = this;
    const again = (pauseSeconds: number, outcome: Outcome) => {
      wait.isOver = true;
      if (number >= retries.attempts) return ended(outcome);
      const pause = retries.backsOff ? pauseSeconds * 2 ** (number - 1) * (0.5 + this.random()) : pauseSeconds;
      events.at(events.now + pause, () => this.attempt(subject, retries, number + 1, ended));
    };
    const giveUp = () => again(retries.pauseSeconds, "unavailable");
    const wait: Wait = { until: events.now + retries.timeoutSeconds, isOver: false, giveUp };
    this.waits.push(wait);
    const arrived = (outcome: Outcome) => {
      if (wait.isOver) return;
      if (outcome === "overloaded") this.window.refused += 1;
      if (outcome !== "done")
        return again(outcome === "overloaded" ? retries.pauseSeconds : RECONNECT_SECONDS, outcome);
      wait.isOver = true;
      ended(outcome);
    };
    const answered = (outcome: Outcome) => events.at(events.now + NETWORK_SECONDS, () => arrived(outcome));
    const server = this.servers[Math.floor(this.random() * this.servers.length)];
    events.at(events.now + NETWORK_SECONDS, () =>
      server ? server.receive({ ...subject, answered }) : answered("unavailable"),
    );
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
