// What puts instants in an order. A clock for leases goes on, as performance.now() does, and also while the machine is
// suspended, as far as the wall clock tells. When the wall clock is set forward it takes that for a suspension, which ends
// leases early and does no harm.

import { setTimeout as sleep } from "node:timers/promises";

/** Time as guards take it, passed in so that tests need not wait. */
export interface Time {
  /** In milliseconds, as performance.now() counts. */
  now(): number;
  /** Epoch milliseconds. */
  wall(): number;
  sleep(ms: number): Promise<unknown>;
}

export const systemTime: Time = { now: () => performance.now(), wall: () => Date.now(), sleep: (ms) => sleep(ms) };

/** A shorter difference is how the two clocks are read. */
const JUMP_MS = 50;

export interface Clock {
  /** Beside an instant of performance.now(), in milliseconds if they are to be compared with a lease's length. */
  at(nowMs: number): number;
  /** The same for what was some time ago; undefined where it could be later than it was. */
  since(beforeMs: number): number | undefined;
}

export class LeaseClock implements Clock {
  private suspendedMs = 0;
  private apartMs: number;
  /** When a suspension was last noticed. */
  private jumpedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly time: Time = systemTime) {
    this.apartMs = time.wall() - time.now();
  }

  /** In milliseconds, beside an instant of performance.now(); never earlier than it was. */
  at(nowMs: number): number {
    const now = this.time.now();
    const apartMs = this.time.wall() - now;
    const jumpMs = apartMs - this.apartMs;
    if (Math.abs(jumpMs) > JUMP_MS) {
      if (jumpMs > 0) {
        this.suspendedMs += jumpMs;
        this.jumpedAtMs = now;
      }
      this.apartMs = apartMs;
    }
    return nowMs + this.suspendedMs;
  }

  /** Undefined if there was a suspension since. */
  since(beforeMs: number): number | undefined {
    const at = this.at(beforeMs);
    return beforeMs < this.jumpedAtMs ? undefined : at;
  }
}

/** Where clocks stand still while code runs, as on Workers: it tells what came first in this isolate, and nothing else. */
export class Turns implements Clock {
  private turn = 0;

  at(): number {
    this.turn += 1;
    return this.turn;
  }

  since(): undefined {
    return undefined;
  }
}
