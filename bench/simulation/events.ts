// A simulation's time: what happens next, and then the time is what it is due at.

import { drainMicrotasks } from "bun:jsc";
import FlatQueue from "flatqueue";

export class Events {
  /** In seconds. */
  now = 0;
  private readonly queue = new FlatQueue<() => void>();

  /** At the present time or later. */
  at(time: number, action: () => void) {
    this.queue.push(action, time);
  }

  /** Does one thing after the other, and all that promises make of it, until the time has come. */
  run(until: number) {
    for (;;) {
      const time = this.queue.peekValue();
      if (time === undefined || time > until) break;
      this.now = time;
      this.queue.pop()?.();
      drainMicrotasks();
    }
    this.now = until;
  }
}
