// When the next call is made: as soon as a connection is free (closed loop), or at a fixed rate (open loop), or once
// for each key.

import type { Connection } from "./connections.ts";

/** What a generator asks. Only calls for each key once want to know how they ended. */
export interface Arrivals {
  /** A connection is free: give it a call, or keep it for later. */
  free(connection: Connection, nowMs: number): void;
  /** Whether a connection that was refused is not free before Retry-After. */
  readonly patient: boolean;
  ended?(connection: Connection, done: boolean): void;
  /** A call was answered with an error that is the caller's fault, so that trying again is no use. */
  hopeless?(error: string): void;
  stop?(): void;
}

/** Begins a call that should have begun at `intendedMs`. */
type Begin = (connection: Connection, intendedMs: number, nowMs: number) => void;

export const NONE: Arrivals = { free: () => {}, patient: false };

export function closedLoop(begin: Begin): Arrivals {
  return { free: (connection, nowMs) => begin(connection, nowMs, nowMs), patient: true };
}

/** Seconds of arrivals that may wait for a free connection; more are not started, and counted. */
const BACKLOG_SECONDS = 10;

/**
 * `rate` calls per second, whatever becomes of them: a call that finds no free connection waits for one, and its
 * waiting is part of its latency. Arrivals are bundled to whole milliseconds, as finely as a timer wakes.
 */
export function openLoop(rate: number, begin: Begin, notStarted: () => void): Arrivals {
  const idle = new Queue<Connection>();
  const backlog = new Queue<number>();
  const maxBacklog = Math.ceil(rate * BACKLOG_SECONDS);
  const startMs = performance.now();
  let arrivals = 0;
  const arrive = () => {
    const nowMs = performance.now();
    for (;;) {
      const intendedMs = startMs + Math.ceil((arrivals * 1000) / rate);
      if (intendedMs > nowMs) return;
      arrivals += 1;
      const connection = nextIdle();
      if (connection) begin(connection, intendedMs, nowMs);
      else if (backlog.size < maxBacklog) backlog.push(intendedMs);
      else notStarted();
    }
  };
  const nextIdle = () => {
    for (;;) {
      const connection = idle.shift();
      if (!connection) return undefined;
      connection.idle = false;
      // A broken one comes back when it is open again.
      if (connection.socket) return connection;
    }
  };
  const timer = setInterval(arrive, 1);
  return {
    patient: false,
    free(connection, nowMs) {
      const intendedMs = backlog.shift();
      if (intendedMs !== undefined) return begin(connection, intendedMs, nowMs);
      if (!connection.idle) idle.push(connection);
      connection.idle = true;
    },
    stop() {
      clearInterval(timer);
      for (let i = 0; i < backlog.size; i++) notStarted();
      for (let each = idle.shift(); each; each = idle.shift()) each.idle = false;
    },
  };
}

/** Every key from 0 once, and again where that failed. */
export function everyKey(keys: number, begin: (connection: Connection, key: number) => void) {
  const failed: number[] = [];
  const allDone = Promise.withResolvers<void>();
  let begun = 0;
  let done = 0;
  return {
    patient: true,
    free(connection: Connection) {
      const key = failed.pop() ?? (begun < keys ? begun++ : undefined);
      if (key !== undefined) begin(connection, key);
    },
    // The connection of a failed call is free again later, and then finds its key here.
    ended({ op }: Connection, well: boolean) {
      if (!well) failed.push(op.key);
      else if (++done === keys) allDone.resolve();
    },
    hopeless: (error: string) => allDone.reject(new Error(`The server refuses a call that every key needs: ${error}.`)),
    done: () => done,
    allDone: allDone.promise,
  };
}

/** First in, first out, without moving what is in it. */
class Queue<T> {
  private items: T[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  push(item: T) {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head++];
    if (this.head === this.items.length || this.head > 65_536) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
