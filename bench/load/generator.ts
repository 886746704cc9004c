// One process's share of the load: picks calls, sends them, and has each answer judged and counted.

import { setTimeout as sleep } from "node:timers/promises";
import { type Arrivals, closedLoop, everyKey, NONE, openLoop } from "./arrivals.ts";
import type { Calls } from "./calls.ts";
import type { Violation } from "./checker.ts";
import { type Connection, type ConnectionOptions, Connections } from "./connections.ts";
import { increment, record, Tally } from "./tally.ts";

/** A call without an answer by then is given up: longer than a server that keeps its deadlines takes. */
const CALL_MS = 30_000;
/** How long calls under way may take to end once the time is up, and once the run is interrupted. */
const DRAIN_MS = { normal: CALL_MS + 2000, interrupted: 1000 };
/** How long a last look at every key may take. */
const LAST_MS = 60_000;
/** Where a 503 has no Retry-After. */
const RETRY_AFTER_S = 1;
const EXAMPLES = 10;
/** In place of an error's code, which an answer to HEAD can't tell. */
const CODE_OF_HEAD = "to HEAD";

/** A measurement of this process. */
export interface Period {
  warmupMs: number;
  measuredMs: number;
  /** Calls per second; without it, each connection makes its next call when it has its answer. */
  rate?: number;
}

export class Generator {
  /** What has happened since it was last reset. */
  readonly tally = new Tally();
  /** Answers within the measured time. */
  measured = { reads: 0, writes: 0 };
  /** Answers of any kind. */
  answers = 0;
  /** The first violations in words. */
  readonly examples: string[] = [];
  readonly connections: Connections;

  private arrivals: Arrivals = NONE;
  private underWay = 0;
  private from = 0;
  private until = 0;

  private exhausted = Promise.withResolvers<void>();
  private readonly giveUpTimer = setInterval(() => this.giveUp(), 1000);

  constructor(
    private readonly calls: Calls,
    options: ConnectionOptions,
  ) {
    this.connections = new Connections(options, {
      ready: (connection) => this.free(connection, performance.now()),
      answered: (connection) => this.answered(connection),
      broken: (connection, busy, reason) => this.broken(connection, busy, reason),
    });
  }

  /** Writes every key of this process; `report` is told how many are written. */
  async fill(report: (written: number) => void, signal: AbortSignal) {
    await this.eachKey((op, key) => this.calls.fill(op, key), report, signal);
  }

  /**
   * Runs one measurement and gives its length. `report` is called for each second, with the time since the beginning,
   * and once more when the last call has ended, without one. It ends early when there are no calls left.
   */
  async measure({ warmupMs, measuredMs, rate }: Period, report: (atMs?: number) => void, signal: AbortSignal) {
    const startMs = performance.now();
    this.from = startMs + warmupMs;
    this.until = this.from + measuredMs;
    this.measured = { reads: 0, writes: 0 };
    this.tally.reset();
    this.exhausted = Promise.withResolvers();
    const next = (connection: Connection, intendedMs: number, nowMs: number) => {
      // A timer that comes late begins nothing more.
      if (intendedMs >= this.until) return;
      if (!this.calls.next(connection.op)) return this.end(nowMs);
      connection.intendedMs = intendedMs;
      this.send(connection, nowMs);
    };
    const notStarted = () => {
      this.tally.counts.notStarted += 1;
    };
    this.begin(rate === undefined ? closedLoop(next) : openLoop(rate, next, notStarted));
    const interrupted = aborted(signal);
    for (let second = 1; performance.now() < this.until && !signal.aborted; second++) {
      const endMs = Math.min(startMs + second * 1000, this.until);
      await Promise.race([sleep(Math.max(1, endMs - performance.now())), interrupted, this.exhausted.promise]);
      report(performance.now() - startMs);
      this.tally.reset();
    }
    this.until = Math.min(this.until, performance.now());
    this.begin(NONE);
    const drained = performance.now() + (signal.aborted ? DRAIN_MS.interrupted : DRAIN_MS.normal);
    while (this.underWay > 0 && performance.now() < drained) await sleep(10);
    await this.lastLook(signal);
    report();
    return Math.max(0, this.until - this.from);
  }

  /** Of no use afterwards. */
  close() {
    clearInterval(this.giveUpTimer);
    this.connections.resize(0);
  }

  private async lastLook(signal: AbortSignal) {
    const { last, keys } = this.calls;
    if (!last || signal.aborted) return;
    const timeout = AbortSignal.timeout(LAST_MS);
    const seen = await this.eachKey(last.bind(this.calls), () => {}, AbortSignal.any([signal, timeout]));
    if (seen < keys) increment(this.tally.counts.errors, "key without a last look", keys - seen);
  }

  /** Makes a call for every key, again where it fails, and waits for all of them. */
  private async eachKey(
    make: (op: Connection["op"], key: number) => void,
    report: (done: number) => void,
    signal: AbortSignal,
  ): Promise<number> {
    if (this.calls.keys === 0) return 0;
    const all = everyKey(this.calls.keys, (connection, key) => {
      const nowMs = performance.now();
      make(connection.op, key);
      connection.intendedMs = nowMs;
      this.send(connection, nowMs);
    });
    this.begin(all);
    const timer = setInterval(() => report(all.done()), 200);
    await Promise.race([all.allDone, aborted(signal)]);
    clearInterval(timer);
    this.begin(NONE);
    return all.done();
  }

  /** There are no calls left. */
  private end(nowMs: number) {
    this.until = Math.min(this.until, nowMs);
    this.exhausted.resolve();
  }

  private begin(arrivals: Arrivals) {
    this.arrivals.stop?.();
    this.arrivals = arrivals;
    const nowMs = performance.now();
    for (const connection of this.connections.all) this.free(connection, nowMs);
  }

  private free(connection: Connection, nowMs: number) {
    if (connection.socket && !connection.busy && !connection.paused) this.arrivals.free(connection, nowMs);
  }

  private send(connection: Connection, nowMs: number) {
    const { op } = connection;
    this.underWay += 1;
    op.begunMs = nowMs;
    connection.send(this.calls.begin(op, nowMs));
  }

  private answered(connection: Connection) {
    const nowMs = performance.now();
    const { op, reader } = connection;
    this.underWay -= 1;
    this.answers += 1;
    let pauseMs = 0;
    const verdict = this.calls.judge(op, reader, nowMs);
    if (verdict === "error") pauseMs = this.failed(connection);
    else {
      if (reader.status === 404) this.tally.counts.absent += 1;
      else if (reader.status === 412) this.tally.counts.conflicts += 1;
      if (verdict !== "true") this.violated(connection, verdict);
      this.succeeded(connection, nowMs);
      this.arrivals.ended?.(connection, true);
    }
    if (reader.closes) connection.cut("closed as announced");
    else if (pauseMs > 0 && this.arrivals.patient) this.pause(connection, pauseMs);
    else this.free(connection, nowMs);
  }

  private succeeded({ op, intendedMs }: Connection, nowMs: number) {
    const { counts } = this.tally;
    const kind = op.kind === "read" ? "reads" : "writes";
    counts[kind] += 1;
    if (nowMs >= this.from && nowMs < this.until) this.measured[kind] += 1;
    // A call belongs to the time in which it began, so that the slowest are not cut off at the end.
    if (intendedMs >= this.from && intendedMs < this.until) record(this.tally[kind], nowMs - intendedMs);
  }

  /** An error. Gives the milliseconds that the server asks to wait. */
  private failed(connection: Connection): number {
    const { status, toHead, bytes, bodyStart, bodyEnd } = connection.reader;
    const code = toHead ? CODE_OF_HEAD : codeOf(bytes.toString("utf8", bodyStart, bodyEnd));
    // Any other answer than these leaves it open whether the write happened.
    if (["unavailable", "overloaded", "internal"].includes(code) || (status >= 400 && status < 500)) {
      this.calls.refused(connection.op);
    }
    this.arrivals.ended?.(connection, false);
    if (status !== 503) {
      increment(this.tally.counts.errors, `${status} ${code}`);
      if (status < 500) this.arrivals.hopeless?.(`${status} ${code}`);
      return 0;
    }
    increment(this.tally.counts.refused, code);
    const retryAfter = /^retry-after: *(\d+)/im.exec(bytes.toString("latin1", 0, bodyStart));
    return Number(retryAfter?.[1] ?? RETRY_AFTER_S) * 1000;
  }

  private pause(connection: Connection, ms: number) {
    connection.paused = true;
    setTimeout(
      () => {
        connection.paused = false;
        this.free(connection, performance.now());
      },
      ms * (0.5 + Math.random()),
    );
  }

  private broken(connection: Connection, busy: boolean, reason: string) {
    if (!busy) return increment(this.tally.counts.errors, `idle connection ${reason}`);
    this.underWay -= 1;
    increment(this.tally.counts.errors, `connection ${reason}`);
    this.arrivals.ended?.(connection, false);
  }

  private violated({ op }: Connection, violation: Violation) {
    this.tally.counts.violations[violation] += 1;
    if (this.examples.length >= EXAMPLES) return;
    const began = new Date(performance.timeOrigin + op.begunMs).toISOString();
    this.examples.push(`${violation}: ${op.kind} of ${this.calls.nameOf(op.key)} that began at ${began}`);
  }

  private giveUp() {
    const before = performance.now() - CALL_MS;
    for (const connection of this.connections.all) {
      if (connection.busy && connection.op.begunMs < before) connection.cut(`silent for ${CALL_MS / 1000} s`);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

function codeOf(body: string): string {
  try {
    return String(JSON.parse(body).code);
  } catch {
    return "without a code";
  }
}
